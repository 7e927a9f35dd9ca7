/* http_executor.h: the executor that speaks HTTP: a connector's exchanges over a transport. */
#ifndef FF_ENGINE_HTTP_EXECUTOR_H
#define FF_ENGINE_HTTP_EXECUTOR_H

#include "base/log.h"
#include "connector/connector.h"
#include "engine/executor.h"
#include "net/http.h"
#include "net/url.h"

struct http_executor_config {
	struct http_transport *transport; /* outlives the executor */
	struct connector *connector;      /* taken over on success */
	const struct url_parts *url;      /* of its base_url, alive as long as the executor; NULL: taken apart here */
	const struct options *options;    /* copied: the *_ms, http_version */
	struct timers *timers;            /* for the deferred done of attempts that cannot be sent */
	const struct scrubber *scrubber;
	uint64_t max_reply_bytes; /* of a decoded body; 0: the transport's cap */
	const struct logger *logger;
	uint64_t (*now_us)(void *user); /* the loop's cached clock */
	int64_t (*wall_ms)(void *user);
	void *clock_user;
};

int http_executor_new(const struct http_executor_config *config, struct executor **ret, struct error *err) WARN_UNUSED;

#endif
