/*
 * serve.c: the flags of `fairforge serve`, and what must be right before it listens. See serve.h.
 */
#include "front/server/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "front/common/args.h"
#include "front/common/flags.h"
#include "front/server/server.h"

#define LISTEN_DEFAULT  "127.0.0.1:8080"
#define DESCRIPTORS_OWN ((uint64_t)64) /* files, loops, and some connections to targets */
#define CONNECTIONS_MAX 100000u

struct args {
	struct server_options o;
	const char *listen;
	bool help;
};

/* ---- setters ---- */

static int set_text(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;
	const char **out = !strcmp(flag->name, "listen")     ? &a->listen
	                   : !strcmp(flag->name, "tls-cert") ? &a->o.tls_cert_file
	                   : !strcmp(flag->name, "tls-key")  ? &a->o.tls_key_file
	                   : !strcmp(flag->name, "cacert")   ? &a->o.cafile
	                                                     : &a->o.token_file;

	if (!*value) {
		buf_append_str(why, STR("must not be empty"));
		return -1;
	}
	*out = value;
	return 0;
}

static int set_number(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;
	uint64_t *out = !strcmp(flag->name, "max-runs") ? &a->o.max_runs : &a->o.max_connections;

	if (arg_u64(value, 1, CONNECTIONS_MAX, out))
		return 0;
	buf_printf(why, "must be a whole number from 1 to %u", CONNECTIONS_MAX);
	return -1;
}

static int set_bytes(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;

	(void)flag;
	if (arg_bytes(value, &a->o.max_body) && a->o.max_body <= (uint64_t)1 << 30)
		return 0;
	buf_append_str(why, STR("must be a size up to 1G, such as 8M"));
	return -1;
}

static int set_time(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;
	bool grace = !strcmp(flag->name, "grace");
	uint64_t *out = grace ? &a->o.grace_ms : &a->o.client_timeout_ms;

	if (arg_duration_ms(value, out) && *out <= 86400000 && (grace || *out))
		return 0;
	buf_append_str(why, STR("must be a time up to a day, such as 30 (seconds), 500ms or 2m"));
	return -1;
}

static int set_switch(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;

	(void)value;
	(void)why;
	*(!strcmp(flag->name, "help") ? &a->help : &a->o.no_auth) = true;
	return 0;
}

static int set_cors(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct args *a = state;
	struct error err = { 0 };

	(void)flag;
	if (!cors_add(&a->o.cors, value, &err))
		return 0;
	buf_printf(why, "is wrong: %s", err.text);
	while (why->len && why->ptr[why->len - 1] == '.') /* the clause becomes a sentence */
		why->ptr[--why->len] = '\0';
	return -1;
}

static int set_level(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct args *a = state;

	(void)flag;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], value)) {
			a->o.log_level = (enum ff_log_level)i;
			return 0;
		}
	}
	buf_append_str(why, STR("must be error, warning, info or debug"));
	return -1;
}

static const struct flag flags[] = {
	{ "listen", 0, "ADDR:PORT", "where to listen; port 0: a free one (" LISTEN_DEFAULT ")", set_text },
	{ "token-file", 0, "FILE", "who may run: a line each NAME:TOKEN; SIGHUP reads it again", set_text },
	{ "insecure-no-auth", 0, NULL, "listen beyond this machine without tokens", set_switch },
	{ "tls-cert", 0, "FILE", "certificate chain (PEM); with --tls-key: https", set_text },
	{ "tls-key", 0, "FILE", "its key (PEM)", set_text },
	{ "cors-origin", 0, "LIST", "origins of web pages that may use it, or *; again", set_cors },
	{ "max-runs", 0, "N", "runs at once; 429 beyond (64)", set_number },
	{ "max-body", 0, "SIZE", "largest request (8M)", set_bytes },
	{ "max-connections", 0, "N", "(half of the files that may be open)", set_number },
	{ "client-timeout", 0, "TIME", "for a header, a body, taking an answer, idling (60s)", set_time },
	{ "grace", 0, "TIME", "for runs to end after SIGTERM (30s)", set_time },
	{ "cacert", 0, "FILE", "CAs of the targets (SSL_CERT_FILE, the system's)", set_text },
	{ "log-level", 0, "LEVEL", "error, warning, info, debug (warning)", set_level },
	{ "help", 0, NULL, "this text", set_switch },
};

/* ---- what follows from the flags ---- */

static void set_defaults(struct args *a)
{
	*a = (struct args){ 0 };
	a->o.max_runs = 64;
	a->o.max_body = DOOR_MAX_BODY_BYTES;
	a->o.client_timeout_ms = 60000;
	a->o.grace_ms = 30000;
	a->o.log_level = FF_LOG_WARNING;
	cors_init(&a->o.cors);
}

/* Half of the descriptors are the clients', the other half the targets'. */
static int count_connections(struct server_options *o, struct error *err)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	uint64_t most;

	getrlimit(RLIMIT_NOFILE, &limit);
	most = limit.rlim_cur > 2 * DESCRIPTORS_OWN ? limit.rlim_cur - DESCRIPTORS_OWN : DESCRIPTORS_OWN;
	if (o->max_connections > most)
		return error_set(err, FF_EUSAGE, "",
		                 "--max-connections %llu is more than the %llu that the limit on open files (ulimit -n) leaves.",
		                 (unsigned long long)o->max_connections, (unsigned long long)most);
	if (!o->max_connections)
		o->max_connections = MIN(most / 2, (uint64_t)CONNECTIONS_MAX);
	return 0;
}

/* The socket of a service manager, or the address of --listen. */
static int choose_socket(struct args *a, struct error *err)
{
	int code = listen_inherited(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), (uint64_t)getpid(), &a->o.listen_fd, err);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	if (code)
		return code;
	if (a->o.listen_fd && a->listen)
		return error_set(err, FF_EUSAGE, "",
		                 "A socket was handed over (LISTEN_FDS), and --listen names another: leave one out.");
	if (a->o.listen_fd)
		return 0;
	return listen_parse(a->listen ? a->listen : LISTEN_DEFAULT, &a->o.listen, err);
}

static int judge(struct args *a, struct error *err)
{
	int code;

	if (!a->o.tls_cert_file != !a->o.tls_key_file)
		return error_set(err, FF_EUSAGE, "", "--tls-cert and --tls-key go together.");
	if (a->o.token_file && a->o.no_auth)
		return error_set(err, FF_EUSAGE, "", "--token-file and --insecure-no-auth contradict each other.");
	code = choose_socket(a, err);
	code = code ? code : count_connections(&a->o, err);
	if (code || a->o.listen_fd || a->o.listen.loopback || a->o.token_file || a->o.no_auth)
		return code;
	return error_set(err, FF_EUSAGE, "",
	                 "%s can be reached from other machines: give --token-file, or --insecure-no-auth when a proxy before it "
	                 "says who may.",
	                 a->listen);
}

static int print_help(void)
{
	printf("Usage: fairforge serve [OPTION]...\n"
	       "Answers POST /run over HTTP, and GET /healthz, /readyz, /metrics, /openapi.json.\n");
	flags_print_help(stdout, flags, ARRAY_SIZE(flags));
	printf("SIGTERM ends it when its runs have ended, a second one at once. See docs/service.md.\n"
	       "Example: fairforge serve --listen 127.0.0.1:8080 &\n"
	       "         curl --data-binary @payload.json http://127.0.0.1:8080/run\n");
	return fflush(stdout) || ferror(stdout) ? error_exit_status(FF_EOUTPUT) : 0;
}

static int complain(const struct error *err)
{
	bool named = !err->where[0] ||
	             str_starts_with(str_from(err->text), str_from(err->where)); /* a variable: its sentence begins with it */

	fprintf(stderr, "fairforge serve: %s%s%s\n", named ? "" : err->where, named ? "" : ": ", err->text);
	if (err->code == FF_EUSAGE)
		fputs("Try 'fairforge serve --help'.\n", stderr);
	return error_exit_status(err->code);
}

static int parse(int argc, char **argv, struct args *a, struct error *err)
{
	struct buf why;
	int first, r;

	buf_init(&why, 4096);
	r = flags_parse(flags, ARRAY_SIZE(flags), a, argc, argv, &first, &why);
	if (r && (!why.ptr || str_eq(buf_str(&why), STR("Out of memory."))))
		r = error_nomem(err);
	else if (r)
		r = error_set(err, FF_EUSAGE, "", "%s", why.ptr);
	else if (!a->help && first < argc)
		r = error_set(err, FF_EUSAGE, "", "serve takes options only, not \"%s\".", argv[first]);
	buf_release(&why);
	return r;
}

int serve_main(int argc, char **argv)
{
	struct error err = { 0 };
	struct args a;
	int code;

	set_defaults(&a);
	code = parse(argc, argv, &a, &err);
	if (!code && a.help) {
		cors_release(&a.o.cors);
		return print_help();
	}
	signal(SIGPIPE, SIG_IGN); /* a client that goes is an error of its connection, not of the service */
	code = code ? code : judge(&a, &err);
	code = code ? code : service_run(&a.o, &err);
	cors_release(&a.o.cors);
	return code ? complain(&err) : 0;
}
