/*
 * engine_api.c: struct ff_engine: one loop, one transport, one engine, one scrubber, and the runs that live in them.
 *
 * Everything happens inside ff_engine_process and ff_engine_wait, in the caller's thread; `processing` keeps a callback from calling them again.
 * Construction goes bottom-up (loop, transport, engine) and ff_engine_free is the one way back for whole and half-built engines.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "lib/internal.h"
#include "lib/run.h"
#include "net/http_curl.h"
#include "net/url.h"

const char *lib_getenv(const struct ff_engine *engine, const char *name)
{
	return engine->getenv_fn ? engine->getenv_fn(engine->getenv_user, name) : getenv(name);
}

const char *lib_getenv_user(void *engine, const char *name)
{
	return lib_getenv(engine, name);
}

bool lib_origin_allowed(const struct ff_engine *engine, const char *origin)
{
	for (char **allowed = engine->allowed_origins; allowed && *allowed; allowed++)
		if (str_eq(str_from(*allowed), str_from(origin)))
			return true;
	return false;
}

static void write_log(void *user, enum log_level level, const char *message)
{
	struct ff_engine *engine = user;

	engine->log_fn(engine->log_user, (enum ff_log_level)level, message);
}

static bool env_is_true(const char *value)
{
	bool yes = false;

	return str_to_bool(str_from(value), &yes) && yes;
}

static void read_options(struct ff_engine *engine, const struct ff_engine_options *o)
{
	engine->role = o->role;
	engine->getenv_fn = o->getenv_fn;
	engine->getenv_user = o->getenv_user;
	engine->allow_http =
	        o->role == FF_ROLE_OPERATOR && (o->allow_http || env_is_true(lib_getenv(engine, "FAIRFORGE_ALLOW_HTTP")));
	engine->log_fn = o->log_fn;
	engine->log_user = o->log_user;
	engine->interrupted_fn = o->interrupted_fn;
	engine->interrupted_user = o->interrupted_user;
	engine->logger.level = (enum log_level)o->log_level;
	engine->logger.write = o->log_fn ? write_log : NULL;
	engine->logger.user = engine;
	engine->logger.scrubber = &engine->scrubber;
}

/* Options given, else SSL_CERT_FILE, else the system's (NULL). */
static int read_cafile(struct ff_engine *engine, const char *option)
{
	const char *path = option ? option : lib_getenv(engine, "SSL_CERT_FILE");

	if (!path || !*path)
		return 0;
	engine->cafile = mem_strdup(path);
	return engine->cafile ? 0 : FF_ENOMEM;
}

/* One entry of FAIRFORGE_ALLOWED_ORIGINS, normalised as targets are, so that comparing is comparing text. */
static int add_origin(struct ff_engine *engine, size_t index, struct str entry, struct error *err)
{
	struct url_parts parts;
	struct error why = { 0 };
	int r = url_parse(entry, &parts, &why);

	if (r == FF_ENOMEM)
		return error_nomem(err);
	if (r)
		return error_set(err, FF_EUSAGE, "FAIRFORGE_ALLOWED_ORIGINS", "FAIRFORGE_ALLOWED_ORIGINS names %.*s: %s",
		                 STR_ARG(entry), why.text);
	if (!url_is_bare_origin(entry)) { /* not quoted: it may hold a password */
		url_parts_release(&parts);
		return error_set(
		        err, FF_EUSAGE, "FAIRFORGE_ALLOWED_ORIGINS",
		        "FAIRFORGE_ALLOWED_ORIGINS must name origins alone, such as https://host:8443: a path, a query or a "
		        "user would not count.");
	}
	engine->allowed_origins[index] = mem_strdup(parts.origin);
	url_parts_release(&parts);
	return engine->allowed_origins[index] ? 0 : error_nomem(err);
}

static int read_allowed_origins(struct ff_engine *engine, struct error *err)
{
	struct str rest = str_from(lib_getenv(engine, "FAIRFORGE_ALLOWED_ORIGINS"));
	size_t room = 2, count = 0;

	for (size_t i = 0; i < rest.len; i++)
		room += rest.ptr[i] == ',';
	engine->allowed_origins = mem_calloc(room, sizeof(char *));
	if (!engine->allowed_origins)
		return error_nomem(err);
	while (rest.ptr) {
		struct str entry = str_trim(str_split(&rest, ','));
		int r = entry.len ? add_origin(engine, count, entry, err) : 0;

		if (r)
			return r;
		count += entry.len > 0;
	}
	return 0;
}

static uint64_t step(void *user, uint64_t now_us)
{
	struct ff_engine *engine = user;

	return engine_step(engine->engine, now_us);
}

/* The step behind this call may have been made already (a timer that the step armed fires after it): another one is asked for. */
static void wake_called(struct deferred *d)
{
	struct ff_engine *engine = CONTAINER_OF(d, struct ff_engine, wake);

	loop_on_step(engine->loop, step, engine);
}

static void wake(void *user)
{
	struct ff_engine *engine = user;

	loop_defer(engine->loop, &engine->wake);
}

static int open_transport(struct ff_engine *engine, const struct ff_engine_options *o, struct error *err)
{
	struct http_curl_config config = {
		.cafile = engine->cafile,
		.stranger = engine->role == FF_ROLE_STRANGER,
		.proxy_from_env = o->proxy_from_env && engine->role == FF_ROLE_OPERATOR,
		.allowed_origins = (const char *const *)engine->allowed_origins,
		.logger = &engine->logger,
	};

	return http_curl_new(engine->loop, &config, &engine->transport, err);
}

static int open_engine(struct ff_engine *engine, const struct ff_engine_options *o, struct error *err)
{
	struct engine_config config = {
		.seed = o->seed ? o->seed : rand_seed_from_os(),
		.logger = &engine->logger,
		.scrubber = &engine->scrubber,
		.wake = wake,
		.wake_user = engine,
	};
	int r = loop_new(&engine->loop, err);

	if (r)
		return r;
	if ((r = open_transport(engine, o, err)))
		return r;
	config.timers = loop_timers(engine->loop);
	if ((r = engine_new(&config, &engine->engine)))
		return r == FF_ENOMEM ? error_nomem(err) : error_set(err, r, "", "The engine cannot be built.");
	loop_on_step(engine->loop, step, engine);
	return 0;
}

static int build(struct ff_engine *engine, const struct ff_engine_options *o, struct error *err)
{
	int r;

	list_init(&engine->runs);
	map_init(&engine->accounts);
	scrubber_init(&engine->scrubber);
	deferred_init(&engine->wake, wake_called);
	read_options(engine, o);
	if (read_cafile(engine, o->cafile))
		return error_nomem(err);
	if ((r = read_allowed_origins(engine, err)))
		return r;
	return open_engine(engine, o, err);
}

int ff_engine_new(const struct ff_engine_options *options, struct ff_engine **ret, struct ff_error *err)
{
	struct ff_engine_options o = { 0 };
	struct error problem = { 0 };
	struct ff_engine *engine;

	if (!options || !ret || options->size < sizeof(size_t)) {
		error_set(&problem, FF_EINVAL, "",
		          "ff_engine_new needs options with their size (FF_INIT) and a place for the engine.");
		return lib_error_export(&problem, err);
	}
	memcpy(&o, options, MIN(options->size, sizeof(o)));
	engine = NEW(struct ff_engine);
	if (!engine) {
		error_nomem(&problem);
		return lib_error_export(&problem, err);
	}
	if (build(engine, &o, &problem)) {
		ff_engine_free(engine);
		return lib_error_export(&problem, err);
	}
	*ret = engine;
	return 0;
}

void ff_engine_free(struct ff_engine *engine)
{
	if (!engine)
		return;
	lib_runs_free(engine);
	engine_free(engine->engine);
	if (engine->transport)
		http_curl_free(engine->transport);
	child_keeper_free(engine->keeper);
	if (engine->loop) {
		deferred_cancel(&engine->wake);
		loop_free(engine->loop);
	}
	for (char **origin = engine->allowed_origins; origin && *origin; origin++)
		mem_free(*origin);
	mem_free(engine->allowed_origins);
	mem_free(engine->cafile);
	map_release(&engine->accounts);
	scrubber_release(&engine->scrubber);
	mem_free(engine);
}

int ff_engine_fd(const struct ff_engine *engine)
{
	return loop_fd(engine->loop);
}

int ff_engine_timeout_ms(const struct ff_engine *engine)
{
	return loop_timeout_ms(engine->loop);
}

int ff_engine_process(struct ff_engine *engine)
{
	int r;

	if (engine->processing)
		return FF_EINVAL;
	engine->processing = true;
	r = loop_process(engine->loop);
	engine->processing = false;
	return r < 0 ? r : 0;
}

int ff_engine_wait(struct ff_engine *engine, int timeout_ms)
{
	int r;

	if (engine->processing)
		return FF_EINVAL;
	engine->processing = true;
	r = loop_wait(engine->loop, timeout_ms);
	engine->processing = false;
	return r < 0 ? r : 0;
}

void ff_engine_lag(const struct ff_engine *engine, struct ff_lag *ret)
{
	const struct lag *lag = loop_lag(engine->loop);

	*ret = (struct ff_lag){
		.p99_ms = (double)lag_percentile_us(lag, 99) / 1000,
		.max_ms = (double)lag->max_us / 1000,
	};
}
