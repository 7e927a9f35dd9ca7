/*
 * transport_bench.c: the load of textbook.c over our transport alone: no dataset, no JSON, no scheduling. What is between this and the whole program is
 * our own work.
 *
 * Usage: transport_bench -n REQUESTS -c IN_FLIGHT -u URL [-k CAFILE] [-2] [-v]      (the flags of textbook)
 *
 * -v prints requests/s, microseconds of CPU a request, connections, resent requests, shards, failures, and the percentiles of how long a pass
 * of the loop held everything else up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http_curl.h"

static const char body[] = "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"content\":\"What is the capital of France? Answer "
                           "in one sentence.\",\"role\":\"user\"}]}";

struct bench {
	struct loop *loop;
	struct http_transport *transport;
	struct http_request request;
	size_t wanted, started, finished, failed;
	char first_failure[400];
};

struct slot {
	struct bench *b;
	struct buf reply;
};

static void start(struct slot *slot);

static int on_body(void *user, const char *data, size_t len)
{
	struct slot *slot = user;

	return buf_append(&slot->reply, data, len);
}

static void on_done(void *user, const struct http_result *result)
{
	struct slot *slot = user;
	struct bench *b = slot->b;

	b->finished++;
	if (result->failure != HTTP_COMPLETE || result->status != 200 || slot->reply.len == 0) {
		if (!b->failed++)
			snprintf(b->first_failure, sizeof(b->first_failure), "%d %s", result->status, result->text);
	}
	buf_clear(&slot->reply);
	if (b->started < b->wanted)
		start(slot);
}

static void start(struct slot *slot)
{
	static const struct http_callbacks callbacks = { .on_body = on_body, .on_done = on_done };
	struct bench *b = slot->b;
	struct http_transfer *transfer;
	struct error err;

	b->started++;
	if (http_start(b->transport, &b->request, &callbacks, slot, &transfer, &err)) {
		fprintf(stderr, "transport_bench: %s\n", err.text);
		exit(70);
	}
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void report(struct bench *b, double wall)
{
	struct rusage used;
	struct http_curl_stats stats;
	const struct lag *lag = loop_lag(b->loop);
	double count = (double)b->finished, user, sys;

	getrusage(RUSAGE_SELF, &used);
	user = seconds(used.ru_utime) * 1e6 / count;
	sys = seconds(used.ru_stime) * 1e6 / count;
	http_curl_stats(b->transport, &stats);
	printf("transport %zu requests %.0f/s cpu %.1f us (user %.1f sys %.1f) connections %llu resent %llu shards %llu failed %zu "
	       "peak %ld KiB "
	       "pass p50 %llu p99 %llu max %llu us of %llu\n",
	       b->finished, count / wall, user + sys, user, sys, (unsigned long long)stats.connections_opened,
	       (unsigned long long)stats.resent, (unsigned long long)stats.shards, b->failed, used.ru_maxrss,
	       (unsigned long long)lag_percentile_us(lag, 50), (unsigned long long)lag_percentile_us(lag, 99),
	       (unsigned long long)lag->max_us, (unsigned long long)lag->stretches);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void set_up(struct bench *b, const char *url, const char *cafile, bool h2)
{
	static const struct pair headers[] = {
		{ { "Content-Type", 12 }, { "application/json", 16 } },
		{ { "Authorization", 13 }, { "Bearer sk-bench-0123456789", 26 } },
		{ { "Accept", 6 }, { "application/json", 16 } },
	};
	struct http_curl_config config = { .cafile = cafile };
	struct error err;

	b->request = (struct http_request){ .method = STR("POST"),
		                            .url = str_from(url),
		                            .headers = headers,
		                            .header_count = ARRAY_SIZE(headers),
		                            .body = str_of(body, sizeof(body) - 1),
		                            .connect_timeout_ms = 10000,
		                            .idle_timeout_ms = 600000,
		                            .total_timeout_ms = 900000,
		                            .http11 = !h2 };
	if (loop_new(&b->loop, &err) || http_curl_new(b->loop, &config, &b->transport, &err)) {
		fprintf(stderr, "transport_bench: %s\n", err.text);
		exit(70);
	}
}

static int run(struct bench *b, size_t flight, bool verbose)
{
	struct slot *slots = calloc(flight, sizeof(*slots));
	uint64_t from_us = clock_monotonic_us();

	if (!slots)
		return 70;
	for (size_t i = 0; i < flight && i < b->wanted; i++) {
		slots[i].b = b;
		buf_init(&slots[i].reply, 1 << 20);
		start(&slots[i]);
	}
	while (b->finished < b->wanted)
		loop_wait(b->loop, -1);
	if (verbose)
		report(b, (double)(clock_monotonic_us() - from_us) / 1e6);
	if (b->failed)
		fprintf(stderr, "transport_bench: %zu of %zu requests failed, the first: %s\n", b->failed, b->wanted,
		        b->first_failure);
	for (size_t i = 0; i < flight; i++)
		buf_release(&slots[i].reply);
	free(slots);
	return b->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .wanted = 10000 };
	const char *url = NULL, *cafile = NULL;
	size_t flight = 64;
	bool h2 = false, verbose = false;
	int status;

	for (int option; (option = getopt(argc, argv, "n:c:u:k:2v")) != -1;) {
		switch (option) {
		case 'n': b.wanted = strtoul(optarg, NULL, 10); break;
		case 'c': flight = strtoul(optarg, NULL, 10); break;
		case 'u': url = optarg; break;
		case 'k': cafile = optarg; break;
		case '2': h2 = true; break;
		case 'v': verbose = true; break;
		default: return 64;
		}
	}
	if (!url || b.wanted < 1 || flight < 1)
		return 64;
	raise_descriptors();
	set_up(&b, url, cafile, h2);
	status = run(&b, flight, verbose);
	http_curl_free(b.transport);
	loop_free(b.loop);
	return status;
}
