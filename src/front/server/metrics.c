/*
 * metrics.c: counters, histograms and their text. See metrics.h.
 *
 * Everything is a fixed array of numbers: 30 KB, no allocation after metrics_new, and feeding costs a few additions. A histogram keeps counts per bucket; the
 * text adds them up (Prometheus buckets are cumulative).
 */
#include "front/server/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define BUCKETS      16u
#define STATUS_MIN   100
#define STATUS_MAX   599
#define OUTCOMES_MAX 32u

/* Upper bounds in seconds: of what a person waits for, and of what a model takes. */
static const double bounds[BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300 };

struct histogram {
	uint64_t counts[BUCKETS + 1]; /* not cumulative; the last: above all bounds */
	double sum;
};

struct metrics {
	uint64_t requests[SERVE_ROUTE_COUNT][STATUS_MAX + 1 - STATUS_MIN];
	uint64_t broken[SERVE_ROUTE_COUNT]; /* no answer was sent */
	struct histogram request_time[SERVE_ROUTE_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t runs[METRICS_RUN_COUNT], turned_away[METRICS_TURNED_AWAY_COUNT];
	uint64_t outcomes[OUTCOMES_MAX]; /* by ff_outcome_at */
	uint64_t retries, resent, keys_in_answers, tokens_in, tokens_out, log_dropped;
	struct histogram service, first_content, queue;
	double start_seconds; /* since 1970 */
};

int metrics_new(struct metrics **ret)
{
	struct metrics *m = NEW(struct metrics);

	if (!m)
		return FF_ENOMEM;
	m->start_seconds = (double)clock_wall_ms() / 1000;
	*ret = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	mem_free(m);
}

/* ---- fed ---- */

static void observe(struct histogram *h, double ms)
{
	double seconds = ms > 0 ? ms / 1000 : 0;
	size_t i = 0;

	while (i < BUCKETS && seconds > bounds[i])
		i++;
	h->counts[i]++;
	h->sum += seconds;
}

void metrics_request(struct metrics *m, enum serve_route route, int status, double ms, uint64_t bytes_in, uint64_t bytes_out)
{
	if (status >= STATUS_MIN && status <= STATUS_MAX)
		m->requests[route][status - STATUS_MIN]++;
	else
		m->broken[route]++;
	observe(&m->request_time[route], ms);
	m->bytes_in += bytes_in;
	m->bytes_out += bytes_out;
}

static size_t outcome_index(const char *word)
{
	struct ff_outcome_info info;

	for (size_t i = 0; i < ff_outcome_count() && i < OUTCOMES_MAX; i++)
		if (!ff_outcome_at(i, &info) && !strcmp(info.word, word))
			return i;
	return OUTCOMES_MAX;
}

void metrics_event(struct metrics *m, const struct ff_event *event)
{
	const struct ff_turn *t = event->turn;
	size_t outcome;

	if (event->type != FF_EVENT_TURN)
		return;
	outcome = outcome_index(t->outcome);
	if (outcome < OUTCOMES_MAX)
		m->outcomes[outcome]++;
	m->resent += t->resent != 0;
	m->keys_in_answers += t->key_in_answer != 0;
	if (!t->attempts) /* it was never sent: it has no times */
		return;
	m->retries += t->attempts - 1;
	m->tokens_in += t->input_tokens > 0 ? (uint64_t)t->input_tokens : 0;
	m->tokens_out += t->output_tokens > 0 ? (uint64_t)t->output_tokens : 0;
	observe(&m->service, t->service_ms);
	observe(&m->queue, t->queue_ms);
	if (t->first_content_ms >= 0)
		observe(&m->first_content, t->first_content_ms);
}

void metrics_run(struct metrics *m, enum metrics_run how)
{
	m->runs[how]++;
}

void metrics_turned_away(struct metrics *m, enum metrics_turned_away why)
{
	m->turned_away[why]++;
}

void metrics_log_dropped(struct metrics *m, uint64_t lines)
{
	m->log_dropped += lines;
}

/* ---- the text ---- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample_u64(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void labelled_u64(struct buf *out, const char *name, const char *label, const char *value, uint64_t number)
{
	buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)number);
}

static void single(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	sample_u64(out, name, value);
}

static void single_double(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	head(out, name, type, help);
	buf_printf(out, "%s %.9g\n", name, value);
}

/* `label`: `route="run"` or "". */
static void histogram(struct buf *out, const char *name, const char *label, const struct histogram *h)
{
	const char *comma = label[0] ? "," : "";
	const char *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
	uint64_t total = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		total += h->counts[i];
		buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma, bounds[i], (unsigned long long)total);
	}
	total += h->counts[BUCKETS];
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, (unsigned long long)total);
	buf_printf(out, "%s_sum%s%s%s %.9g\n", name, open, label, close, h->sum);
	buf_printf(out, "%s_count%s%s%s %llu\n", name, open, label, close, (unsigned long long)total);
}

static void write_requests(const struct metrics *m, struct buf *out)
{
	static const char total[] = "fairforge_http_requests_total", seconds[] = "fairforge_http_request_seconds";

	head(out, total, "counter",
	     "Requests by route and status; status \"none\": the connection broke before an answer was sent.");
	for (size_t r = 0; r < SERVE_ROUTE_COUNT; r++) {
		const char *name = serve_route_info((enum serve_route)r)->name;

		for (int s = STATUS_MIN; s <= STATUS_MAX; s++)
			if (m->requests[r][s - STATUS_MIN])
				buf_printf(out, "%s{route=\"%s\",status=\"%d\"} %llu\n", total, name, s,
				           (unsigned long long)m->requests[r][s - STATUS_MIN]);
		if (m->broken[r])
			buf_printf(out, "%s{route=\"%s\",status=\"none\"} %llu\n", total, name, (unsigned long long)m->broken[r]);
	}
	head(out, seconds, "histogram", "Time of a request from its header to the end of its answer.");
	for (size_t r = 0; r < SERVE_ROUTE_COUNT; r++) {
		char label[48];

		snprintf(label, sizeof(label), "route=\"%s\"", serve_route_info((enum serve_route)r)->name);
		histogram(out, seconds, label, &m->request_time[r]);
	}
	single(out, "fairforge_http_request_bytes_total", "counter", "Bytes of request bodies.", m->bytes_in);
	single(out, "fairforge_http_response_bytes_total", "counter", "Bytes of answers' bodies.", m->bytes_out);
}

static void write_runs(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
	static const char *const ends[METRICS_RUN_COUNT] = { "complete", "incomplete", "refused", "abandoned", "failed" };
	static const char *const reasons[METRICS_TURNED_AWAY_COUNT] = { "full", "draining", "token", "origin" };

	head(out, "fairforge_runs_total", "counter", "Runs that ended, by how.");
	for (size_t i = 0; i < METRICS_RUN_COUNT; i++)
		labelled_u64(out, "fairforge_runs_total", "result", ends[i], m->runs[i]);
	head(out, "fairforge_turned_away_total", "counter", "Requests that did not become a run, by why.");
	for (size_t i = 0; i < METRICS_TURNED_AWAY_COUNT; i++)
		labelled_u64(out, "fairforge_turned_away_total", "reason", reasons[i], m->turned_away[i]);
	single(out, "fairforge_runs_active", "gauge", "Runs that are being executed.", now->runs_active);
	single(out, "fairforge_runs_max", "gauge", "Most runs at a time (--max-runs).", now->runs_max);
	single(out, "fairforge_draining", "gauge", "1: the service is ending and takes no more runs.", now->draining != 0);
	single(out, "fairforge_http_connections", "gauge", "Connections that are open.", now->connections);
	single(out, "fairforge_http_connections_max", "gauge", "Most connections at a time.", now->connections_max);
}

static void write_turns(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
	struct ff_outcome_info info;

	head(out, "fairforge_turns_total", "counter", "Turns that ended, by outcome.");
	for (size_t i = 0; i < ff_outcome_count() && i < OUTCOMES_MAX; i++)
		if (!ff_outcome_at(i, &info))
			labelled_u64(out, "fairforge_turns_total", "outcome", info.word, m->outcomes[i]);
	single(out, "fairforge_turns_in_flight", "gauge", "Turns that are at the target.", now->turns_in_flight);
	single(out, "fairforge_turns_queued", "gauge", "Turns that wait for their first start.", now->turns_queued);
	single(out, "fairforge_turns_waiting_retry", "gauge", "Turns that wait for their next attempt.", now->turns_waiting_retry);
	single(out, "fairforge_turn_retries_total", "counter", "Attempts beyond the first of the turns that ended.", m->retries);
	single(out, "fairforge_turns_resent_total", "counter",
	       "Turns whose request was sent once more because a kept connection had died.", m->resent);
	single(out, "fairforge_keys_in_answers_total", "counter", "Answers in which a live key stood.", m->keys_in_answers);
	head(out, "fairforge_tokens_total", "counter",
	     "Tokens as the providers counted them; what they did not count is not in it.");
	labelled_u64(out, "fairforge_tokens_total", "direction", "input", m->tokens_in);
	labelled_u64(out, "fairforge_tokens_total", "direction", "output", m->tokens_out);
	head(out, "fairforge_turn_service_seconds", "histogram",
	     "Time of a turn's last attempt, from its first byte sent to its last byte received.");
	histogram(out, "fairforge_turn_service_seconds", "", &m->service);
	head(out, "fairforge_turn_queue_seconds", "histogram", "Time that a turn waited for its first start.");
	histogram(out, "fairforge_turn_queue_seconds", "", &m->queue);
	head(out, "fairforge_time_to_first_token_seconds", "histogram",
	     "Time from the sending of a turn's last attempt to its first content, of those that were streamed.");
	histogram(out, "fairforge_time_to_first_token_seconds", "", &m->first_content);
}

static void write_process(const struct metrics *m, const struct metrics_now *now, const struct metrics_process *p, struct buf *out)
{
	single_double(out, "fairforge_loop_lag_p99_seconds", "gauge",
	              "How long the loop worked without looking at what is due, 99th percentile since the start.",
	              now->lag.p99_ms / 1000);
	single_double(out, "fairforge_loop_lag_max_seconds", "gauge", "The same, the longest.", now->lag.max_ms / 1000);
	single(out, "fairforge_log_lines_dropped_total", "counter", "Lines of the access log that nobody took.", m->log_dropped);
	head(out, "fairforge_build_info", "gauge", "Always 1; the version is a label.");
	buf_printf(out, "fairforge_build_info{version=\"%s\"} 1\n", ff_version());
	head(out, "process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.");
	buf_printf(out, "process_start_time_seconds %.3f\n", m->start_seconds);
	single_double(out, "process_cpu_seconds_total", "counter", "Processor time, user and system.", p->cpu_seconds);
	single(out, "process_resident_memory_bytes", "gauge", "Memory that is resident.", p->resident_bytes);
	single(out, "process_open_fds", "gauge", "Open descriptors.", p->open_fds);
	single(out, "process_max_fds", "gauge", "Most descriptors that may be open.", p->max_fds);
}

int metrics_write(const struct metrics *m, const struct metrics_now *now, const struct metrics_process *process, struct buf *out)
{
	write_turns(m, now, out);
	write_runs(m, now, out);
	write_requests(m, out);
	write_process(m, now, process, out);
	return buf_failed(out);
}

/* ---- the process ---- */

/* The first `size - 1` bytes of a file of /proc; "" when it cannot be read. */
static void read_proc(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Field `number` (from 1) of the words in `text`, 0 when it is no number. */
static uint64_t field(const char *text, unsigned number)
{
	struct str rest = str_from(text);
	struct str word = STR_NULL;
	uint64_t value;

	while (rest.ptr && number--)
		word = str_split(&rest, ' ');
	return str_to_u64(str_trim(word), &value) ? value : 0;
}

static uint64_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

void metrics_process_read(struct metrics_process *ret)
{
	struct rusage usage;
	struct rlimit limit;
	char statm[128];

	*ret = (struct metrics_process){ .open_fds = count_descriptors() };
	if (!getrusage(RUSAGE_SELF, &usage))
		ret->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
		                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	read_proc("/proc/self/statm", statm, sizeof(statm));
	ret->resident_bytes = field(statm, 2) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		ret->max_fds = limit.rlim_cur;
}
