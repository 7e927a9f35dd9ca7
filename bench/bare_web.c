/*
 * bare_web.c: the least a service on libmicrohttpd can do with a POST: read its body, answer a fixed document. Epoll mode with libmicrohttpd's own thread,
 * no log, no timeout, one response made once for all requests; what `fairforge serve` is measured against.
 *
 * Usage: bare_web      prints its port, serves until its standard input ends
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As long as the service's answer to one batch. */
static char answer[] = "{\"success\":true,\"datasets\":[{\"session_id\":\"s\",\"assistant_id\":\"a\",\"language\":\"eng"
                       "lish\",\"context\":\"\",\"conversation\":[{\"ground_truth_assistant\":\"Paris.\",\"logprobs\""
                       ":{},\"observation\":null,\"assistant\":\"The capital of France is Paris.\",\"query\":\"Wh"
                       "at is the capital of France?\",\"agentic\":{},\"ground_truth_agentic\":{},\"qa_id\":\"q\""
                       ",\"weight\":null}]}],\"summaries\":[{\"session_id\":\"s\",\"total_batches\":1,\"successes\":"
                       "1,\"failures\":0,\"total_execution_time_ms\":2.735,\"avg_batch_time_ms\":2.735}],\"tota"
                       "l_datasets\":1}";

struct request {
	size_t received;
};

static enum MHD_Result on_call(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *data, size_t *len, void **slot)
{
	struct request *r = *slot;

	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!r) {
		*slot = calloc(1, sizeof(*r));
		return *slot ? MHD_YES : MHD_NO;
	}
	if (*len) {
		r->received += *len;
		*len = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, r->received ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST, user);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why)
{
	(void)user;
	(void)connection;
	(void)why;
	free(*slot);
	*slot = NULL;
}

int main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(answer), answer, MHD_RESPMEM_PERSISTENT);
	struct MHD_Daemon *daemon;
	char end;

	if (!response || !MHD_add_response_header(response, "Content-Type", "application/json"))
		return 70;
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO, 0, NULL, NULL, on_call, response,
	                          MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_LIMIT, 1000u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	                          (size_t)16 << 10, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!daemon)
		return 69;
	printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
