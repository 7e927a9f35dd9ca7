/* answer.h: answers to requests: what the routes say, and refusals. Each queues one response, once, and remembers its status. */
#ifndef FF_FRONT_SERVER_ANSWER_H
#define FF_FRONT_SERVER_ANSWER_H

#include "front/server/request.h"

/* What the route says at once: all but POST /run. */
enum MHD_Result answer_route(struct request *r);
/* 404, 405, and what OPTIONS asks for. */
enum MHD_Result answer_unfound(struct request *r);
enum MHD_Result answer_refusal(struct request *r);
/* The job's answer. */
enum MHD_Result answer_job(struct request *r);

#endif
