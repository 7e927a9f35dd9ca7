/* dataset_json.h: a dataset as the reference's model_dump writes it: same keys, same order, defaults included. Private to src/sink. */
#ifndef FF_SINK_DATASET_JSON_H
#define FF_SINK_DATASET_JSON_H

#include "model/dataset.h"
#include "model/json.h"

/* Up to and including the bracket that opens the conversation. */
void dataset_json_open(struct json_writer *w, const struct dataset *d);
void dataset_json_close(struct json_writer *w);
/* One test case with `assistant` in place of its own. */
void dataset_json_batch(struct json_writer *w, const struct batch *b, struct str assistant);

#endif
