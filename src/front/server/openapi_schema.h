/* openapi_schema.h: the schemas of what comes in and goes out, members of components.schemas. Private to openapi.c and its tests. */
#ifndef FF_FRONT_SERVER_OPENAPI_SCHEMA_H
#define FF_FRONT_SERVER_OPENAPI_SCHEMA_H

#include "base/macros.h"
#include "front/server/json_out.h"

/*
 * Writes Payload, Options, Connector, one for each connector, Config, Dataset, Batch, Response, Refusal, Error and State as members of the object that
 * is open. 0; FF_EINTERNAL: a table says a type that nobody taught this file (err text names it: a test finds that); FF_ENOMEM, FF_ETOOBIG.
 */
int openapi_write_schemas(struct json_out *j, char ret_unknown[128]) WARN_UNUSED;

#endif
