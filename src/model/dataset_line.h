/* dataset_line.h: a dataset straight from the text of its line, when there is nothing to say about it. Internal to src/model. */
#ifndef FF_MODEL_DATASET_LINE_H
#define FF_MODEL_DATASET_LINE_H

#include <stdint.h>

#include "model/dataset_fields.h"

/* In which order the fields came last time, as indexes of their tables: a guess at the next line. Begins zeroed. */
struct field_order {
	uint8_t dataset[DATASET_FIELDS];
	uint8_t batch[BATCH_FIELDS];
};

/*
 * 1: the line is plain, and *ret is what json_parse and dataset_from_json would have made of it without a problem or a note; its index and arena are left
 * alone. 0: it is not plain, whatever it is: read it by those two. FF_ENOMEM. Text is referenced; what must be allocated is in `arena`, also
 * when 0 is returned.
 */
int dataset_from_line(struct arena *arena, struct str line, const struct json_limits *limits, struct field_order *order,
                      struct dataset *ret) WARN_UNUSED;

#endif
