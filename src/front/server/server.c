/*
 * server.c: the service as a whole: one loop, one thread, one engine with many runs in it, signals, the drain. See server.h for the tour.
 *
 * The drain: the first SIGINT or SIGTERM closes the listening socket and refuses new runs; when the last request is answered, or when the grace is over and
 * the answers of what was cut have had ANSWERS_MS to go out, the loop stops. A second signal stops it at once.
 *
 * Taking it down goes from the outside to the inside: connections (they point at jobs), jobs (they live in the engine), engine.
 */
#include "front/server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "front/common/environment.h"
#include "front/common/web.h"
#include "front/server/event_log.h"
#include "front/server/openapi.h"
#include "front/server/request.h"
#include "net/lag.h"

#define PEM_MAX    ((size_t)1 << 20)
#define ANSWERS_MS ((uint64_t)2000)

/* ---- the drain ---- */

static size_t active_runs(const struct server *s)
{
	return s->jobs.running;
}

void server_check_drained(struct server *s)
{
	if (s->state != SERVER_TAKING && s->state != SERVER_STOPPING && list_empty(&s->requests) && !active_runs(s))
		web_stop(s->web);
}

static void drain(struct server *s)
{
	s->state = SERVER_DRAINING;
	web_quiesce(s->web);
	event_log_runs("draining", active_runs(s));
	timer_arm(web_timers(s->web), &s->end, web_now_us(s->web) + s->options->grace_ms * 1000);
	server_check_drained(s);
}

/* The grace is over, or what came after it. */
static void on_end_of_grace(struct timer *t, uint64_t now_us)
{
	struct server *s = CONTAINER_OF(t, struct server, end);

	if (s->state == SERVER_CUTTING) {
		web_stop(s->web);
		return;
	}
	s->state = SERVER_CUTTING;
	event_log_runs("cutting", active_runs(s));
	jobs_cut(&s->jobs);
	timer_arm(web_timers(s->web), t, now_us + ANSWERS_MS * 1000);
}

/* ---- tokens ---- */

static int load_tokens(struct server *s, struct error *err)
{
	struct auth *fresh;
	int code;

	if (!s->options->token_file)
		return 0;
	code = auth_load(s->options->token_file, &fresh, err);
	if (code)
		return code;
	if (auth_warning(fresh))
		event_log_message(FF_LOG_WARNING, auth_warning(fresh));
	auth_free(s->auth);
	s->auth = fresh;
	return 0;
}

/* A file that is wrong now changes nothing. */
static void reload_tokens(struct server *s)
{
	struct error err = { 0 };
	char text[sizeof(err.where) + sizeof(err.text) + 64];

	if (load_tokens(s, &err)) {
		snprintf(text, sizeof(text), "The tokens stay as they were. %s%s%s", err.where, err.where[0] ? ": " : "", err.text);
		event_log_message(FF_LOG_ERROR, text);
	} else if (s->auth) {
		event_log_message(FF_LOG_INFO, "The tokens were read again.");
	}
}

/* ---- callbacks of the loop ---- */

static void on_signal(void *user, int number)
{
	struct server *s = user;

	if (number == SIGHUP)
		reload_tokens(s);
	else if (s->state == SERVER_TAKING)
		drain(s);
	else
		web_stop(s->web);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **slot, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = user;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot = client_new(&s->clients, connection);
	} else {
		struct client *c = *slot;
		if (c && c->request) /* libmicrohttpd does not tell the end of one that it refuses for two reasons */
			request_end(c->request);
		client_free(c);
		*slot = NULL;
	}
}

static void on_gone(void *user, void *tag)
{
	struct client *c = tag;

	(void)user;
	client_gone(c);
	if (c->request)
		request_client_gone(c->request);
}

static void on_stop(void *user)
{
	struct server *s = user;

	s->state = SERVER_STOPPING;
	LIST_FOR_EACH (it, next, &s->requests)
		request_wake(LIST_ENTRY(it, struct request, link));
}

static int engine_timeout(void *user)
{
	struct server *s = user;

	return ff_engine_timeout_ms(s->engine);
}

static void engine_process(void *user)
{
	struct server *s = user;

	ff_engine_process(s->engine);
	jobs_sweep(&s->jobs);
	server_check_drained(s);
}

static void on_touched(void *user)
{
	struct server *s = user;

	if (s->web)
		web_wake(s->web);
}

static void on_round_end(void *user)
{
	struct server *s = user;

	metrics_log_dropped(s->metrics, access_log_flush(&s->log));
}

/* Who sends in chunks and has not sent anything for a second may be the one that keeps libmicrohttpd busy. */
static void on_busy(void *user)
{
	struct server *s = user;

	LIST_FOR_EACH (it, next, &s->requests)
		request_hurry(LIST_ENTRY(it, struct request, link));
}

static void on_log(void *user, enum ff_log_level level, const char *message)
{
	(void)user;
	event_log_message(level, message);
}

int server_write_metrics(struct server *s, struct buf *out)
{
	struct metrics_process process;
	struct metrics_now now = {
		.runs_active = active_runs(s),
		.runs_max = s->admission.max_runs,
		.connections = s->clients.count,
		.connections_max = s->clients.most,
		.draining = s->state != SERVER_TAKING,
	};
	struct ff_counts counts;

	jobs_counts(&s->jobs, &counts);
	now.turns_in_flight = counts.in_flight;
	now.turns_queued = counts.queued;
	now.turns_waiting_retry = counts.waiting_retry;
	/* The engine's own would leave out the reading of bodies, which is the loop's longest work. */
	now.lag.p99_ms = (double)lag_percentile_us(web_lag(s->web), 99) / 1000;
	now.lag.max_ms = (double)web_lag(s->web)->max_us / 1000;
	metrics_process_read(&process);
	return metrics_write(s->metrics, &now, &process, out);
}

/* ---- life ---- */

/* Reads a whole PEM file, with a NUL behind it. */
static int read_pem(const char *path, struct buf *out, struct error *err)
{
	FILE *file = fopen(path, "rbe");
	char *room;
	size_t n = 0;
	int number;

	if (!file)
		return error_set(err, FF_EUSAGE, path, "The file cannot be opened: %s.", strerror(errno));
	do {
		room = buf_reserve(out, 4096);
		n = room ? fread(room, 1, 4096, file) : 0;
		if (n)
			buf_commit(out, n);
	} while (n);
	number = ferror(file) ? errno : 0;
	fclose(file);
	if (number)
		return error_set(err, FF_EUSAGE, path, "The file cannot be read: %s.", strerror(number));
	if (buf_append(out, "", 1))
		return error_set(err, FF_EUSAGE, path, "The file is too large for a certificate or key.");
	return 0;
}

static int open_engine(struct server *s, struct error *err)
{
	struct ff_engine_options options = FF_INIT(struct ff_engine_options);
	struct ff_error why = { 0 };

	options.role = FF_ROLE_STRANGER;
	options.cafile = s->options->cafile;
	options.log_level = s->options->log_level;
	options.log_fn = on_log;
	options.log_user = s;
	if (ff_engine_new(&options, &s->engine, &why))
		return error_set(err, why.code, why.where, "%s", why.text);
	return 0;
}

static int open_tables(struct server *s, struct error *err)
{
	const struct server_options *o = s->options;
	struct openapi_options document = { .tokens = o->token_file,
		                            .max_body_bytes = o->max_body,
		                            .max_datasets = DOOR_MAX_DATASETS,
		                            .max_batches = DOOR_MAX_BATCHES,
		                            .max_runs = (unsigned)o->max_runs };
	int code = load_tokens(s, err);

	if (code)
		return code;
	if (metrics_new(&s->metrics) || openapi_write(&document, &s->openapi))
		return error_nomem(err);
	if (o->tls_cert_file &&
	    ((code = read_pem(o->tls_cert_file, &s->tls_cert, err)) || (code = read_pem(o->tls_key_file, &s->tls_key, err))))
		return code;
	return 0;
}

static int open_web(struct server *s, struct error *err)
{
	const struct server_options *o = s->options;
	struct web_source source = { ff_engine_fd(s->engine), engine_timeout, engine_process, s };
	struct web_options web = {
		.listen = o->listen.address,
		.port = o->listen.port,
		.listen_fd = o->listen_fd,
		.max_connections = (unsigned)o->max_connections,
		.handler = request_on_call,
		.completed = request_on_completed,
		.on_stop = on_stop,
		.user = s,
		.tls_cert = s->tls_cert.ptr,
		.tls_key = s->tls_key.ptr,
		.peer_timeout_s = (unsigned)MAX((o->client_timeout_ms + 999) / 1000, 1u),
		.strict = true,
		.source = &source,
		.on_connection = on_connection,
		.on_request_line = request_on_line,
		.on_gone = on_gone,
		.on_signal = on_signal,
		.on_round_end = on_round_end,
		.on_busy = on_busy,
	};
	int code = web_new(&web, &s->web, err);

	if (code)
		return code;
	clients_init(&s->clients, s->web, o->client_timeout_ms, o->max_connections);
	return timers_reserve(web_timers(s->web), 1) ? error_nomem(err) : 0;
}

/* A socket that was handed over says only now where it listens. */
static int check_exposure(const struct server *s, struct error *err)
{
	struct listen_address at;
	int code = listen_parse_url(web_url(s->web), &at, err);

	if (code || at.loopback || s->auth || s->options->no_auth)
		return code;
	return error_set(err, FF_EUSAGE, "",
	                 "%s can be reached from other machines: give --token-file, or --insecure-no-auth when a proxy before it "
	                 "says who may.",
	                 web_url(s->web));
}

/* Beside those of the options. */
static const char *const own_variables[] = { "FAIRFORGE_CONNECTOR", "FAIRFORGE_ALLOWED_ORIGINS" };

static const char *variable(void *user, const char *name)
{
	(void)user;
	return getenv(name);
}

static int open_all(struct server *s, struct error *err)
{
	int code = open_tables(s, err);

	code = code ? code : open_engine(s, err);
	code = code ? code : environment_check(s->engine, variable, NULL, err);
	code = code ? code : open_web(s, err);
	code = code ? code : check_exposure(s, err);
	if (code)
		return code;
	s->jobs.engine = s->engine;
	s->jobs.metrics = s->metrics;
	return 0;
}

static void close_all(struct server *s)
{
	struct web *web = s->web;

	s->state = SERVER_STOPPING;
	web_free(web);
	s->web = NULL;
	(void)access_log_flush(&s->log); /* requests that ended with their connections */
	access_log_release(&s->log);
	if (s->engine)
		jobs_release(&s->jobs);
	ff_engine_free(s->engine);
	metrics_free(s->metrics);
	auth_free(s->auth);
	buf_release(&s->openapi);
	buf_release(&s->tls_cert);
	buf_release(&s->tls_key);
}

static void init(struct server *s, const struct server_options *options)
{
	*s = (struct server){ .options = options };
	admission_init(&s->admission, (unsigned)options->max_runs, options->max_body);
	s->jobs = (struct jobs){ .admission = &s->admission, .touched = on_touched, .user = s };
	s->jobs.limits.max_body_bytes = options->max_body;
	jobs_init(&s->jobs);
	access_log_init(&s->log, 2);
	rand_init(&s->ids, rand_seed_from_os());
	list_init(&s->requests);
	timer_init(&s->end, on_end_of_grace);
	buf_init(&s->openapi, OPENAPI_MAX_BYTES);
	buf_init(&s->tls_cert, PEM_MAX);
	buf_init(&s->tls_key, PEM_MAX);
}

static void warn_of_variable(void *user, const char *name, const char *meant)
{
	char sentence[3 * ENVIRONMENT_NAME_MAX];

	(void)user;
	snprintf(sentence, sizeof(sentence), "The variable %s means nothing to the service%s%s%s", name,
	         meant ? ": did you mean " : ".", meant ? meant : "", meant ? "?" : "");
	event_log_message(FF_LOG_WARNING, sentence);
}

int service_run(const struct server_options *options, struct error *err)
{
	struct server s;
	int code;

	init(&s, options);
	code = open_all(&s, err);
	if (!code) {
		event_log_listening(web_url(s.web));
		if (options->log_level >= FF_LOG_WARNING)
			environment_unknown(environ, own_variables, ARRAY_SIZE(own_variables), warn_of_variable, NULL);
		web_run(s.web);
		event_log_runs("stopped", active_runs(&s));
		timer_disarm(web_timers(s.web), &s.end);
	}
	close_all(&s);
	return code;
}
