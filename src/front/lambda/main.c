/*
 * main.c: `bootstrap`, the custom runtime of AWS Lambda: configuration once, then event after event until the platform ends the process.
 *
 * Before the first event is asked for nothing is done that an event may not need: the CA store is decoded at the first https exchange, a client for S3 is
 * made only when FAIRFORGE_RESULT_URI is set. What is wrong with the configuration goes to /runtime/init/error, where the platform shows it to the caller.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/common/terminal.h"
#include "front/lambda/courier.h"
#include "front/lambda/invoke.h"
#include "front/lambda/trace.h"

#define STATUS_FAILED 1

struct bootstrap {
	struct log_output log;
	struct config config;
	struct ff_engine *engine;
	struct runtime *runtime;
	struct courier *store_courier;
	struct store *store;
};

static const char help[] =
        "Usage: bootstrap\n"
        "The executable that AWS Lambda starts in a function whose runtime is provided.al2023 (or in a container image): it takes\n"
        "events from the Runtime API at AWS_LAMBDA_RUNTIME_API and answers them as `fairforge run` would. docs/lambda.md tells\n"
        "how to deploy it.\n"
        "\n"
        "      --help     this\n"
        "      --version  versions of fairforge and of its libraries\n"
        "\n"
        "Environment:\n"
        "  FAIRFORGE_CONNECTOR           connector object (JSON) for payloads that bring none\n"
        "  FAIRFORGE_ALLOWED_ORIGINS     origins that payloads may reach with this environment's keys\n"
        "  FAIRFORGE_<OPTION>            options of a run, such as FAIRFORGE_CONCURRENCY; a payload can only lower them\n"
        "  FAIRFORGE_RESULT_URI          s3://bucket/prefix for results that nobody waits for, or that are larger than 6 MiB\n"
        "  FAIRFORGE_DISCARD_RESULTS     1: nobody needs the results of SQS and EventBridge\n"
        "  FAIRFORGE_DEADLINE_MARGIN_MS  how long before the deadline the answer leaves\n"
        "  FAIRFORGE_CORS_ORIGIN         Access-Control-Allow-Origin: *, an origin, or none\n"
        "  FAIRFORGE_ALLOW_HTTP          1: results may go to AWS_ENDPOINT_URL_S3 over plain http\n"
        "  FAIRFORGE_LOG_LEVEL           error, warning, info or debug\n"
        "  SSL_CERT_FILE                 CA certificates (PEM) instead of the system's\n"
        "Keys come from LLM_API_KEY, the providers' own variables, or the payload.\n"
        "\n"
        "Example: AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 ./bootstrap\n";

/* ---- by hand ---- */

/* --help and --version; the exit status, or -1: go on. An operand is the handler's name, which an image may pass: there is but one. */
static int answer_flags(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--version")) {
			printf("fairforge %s\n%s\n", ff_version(), ff_version_libraries());
			return fflush(stdout) ? STATUS_FAILED : 0;
		}
		if (!strcmp(argv[i], "--help")) {
			fputs(help, stdout);
			return fflush(stdout) ? STATUS_FAILED : 0;
		}
		if (argv[i][0] == '-') {
			fprintf(stderr, "bootstrap: there is no option \"%.200s\". See 'bootstrap --help'.\n", argv[i]);
			return ff_code_exit_status(FF_R_USAGE);
		}
	}
	if (getenv("AWS_LAMBDA_RUNTIME_API"))
		return -1;
	fputs("bootstrap: AWS Lambda starts this program and sets AWS_LAMBDA_RUNTIME_API, which is not set here. To run a payload "
	      "by hand use "
	      "'fairforge run'; see also 'bootstrap --help'.\n",
	      stderr);
	return ff_code_exit_status(FF_R_USAGE);
}

/* ---- configuration ---- */

static const char *environment_value(void *user, const char *name)
{
	(void)user;
	return getenv(name);
}

static void note_unknown(void *user, const char *name, const char *meant)
{
	const struct bootstrap *b = user;
	char sentence[320];

	snprintf(sentence, sizeof(sentence), "%s means nothing here and was ignored%s%s%s", name, meant ? ": did you mean " : ".",
	         meant ? meant : "", meant ? "?" : "");
	log_sentence(&b->log, FF_LOG_WARNING, "configuration", NULL, sentence);
}

static void engine_log(void *user, enum ff_log_level level, const char *message)
{
	const struct bootstrap *b = user;

	log_sentence(&b->log, level, "engine", NULL, message);
}

static int open_engine(struct bootstrap *b, struct error *err)
{
	struct ff_engine_options options = FF_INIT(struct ff_engine_options);
	struct ff_error why = { 0 };

	options.role = FF_ROLE_STRANGER;
	options.log_level = b->log.level;
	options.log_fn = engine_log;
	options.log_user = b;
	if (!ff_engine_new(&options, &b->engine, &why))
		return environment_check(b->engine, environment_value, NULL, err);
	return error_set(err, why.code, why.where, "%s", why.text);
}

static int open_store(struct bootstrap *b, struct error *err)
{
	const char *uri = getenv("FAIRFORGE_RESULT_URI"), *cafile = getenv("SSL_CERT_FILE");
	int r;

	if (!uri || !*uri)
		return 0;
	r = courier_new(cafile && *cafile ? cafile : NULL, &b->store_courier, err);
	return r ? r : store_new(environment_value, NULL, b->store_courier, &b->store, err);
}

static int configure(struct bootstrap *b, struct error *err)
{
	int r = config_read(environment_value, NULL, &b->config, err);

	if (r)
		return r;
	b->log.level = b->config.log_level;
	if (b->config.one_at_a_time)
		trace_open();
	config_unknown(environ, note_unknown, b);
	r = open_engine(b, err);
	return r ? r : open_store(b, err);
}

/* The platform shows the caller what is wrong; the log shows the operator. */
static void tell_init_error(struct bootstrap *b, const struct error *err)
{
	bool ours = err->code == FF_ENOMEM || err->code == FF_EINTERNAL;
	struct error refused = { 0 };

	log_sentence(&b->log, FF_LOG_ERROR, "init", NULL, err->text);
	if (runtime_init_error(b->runtime, ours ? "Runtime.InitFailed" : "Runtime.ConfigInvalid", str_from(err->text), &refused))
		log_sentence(&b->log, FF_LOG_ERROR, "init", NULL, refused.text);
}

/* ---- events ---- */

static int serve(struct bootstrap *b)
{
	struct invoker invoker = { &b->config, &b->log, b->engine, b->runtime, b->store };
	struct invocation invocation;
	struct error err = { 0 };

	for (;;) {
		if (runtime_next(b->runtime, &invocation, &err)) {
			log_sentence(&b->log, FF_LOG_ERROR, "runtime", NULL, err.text);
			return STATUS_FAILED;
		}
		trace_set(invocation.trace);
		if (invoke(&invoker, &invocation))
			return STATUS_FAILED;
	}
}

static void release(struct bootstrap *b)
{
	store_free(b->store);
	courier_free(b->store_courier);
	ff_engine_free(b->engine);
	runtime_free(b->runtime);
}

static int run(struct bootstrap *b)
{
	struct error err = { 0 };
	int status = STATUS_FAILED;

	if (runtime_new(getenv("AWS_LAMBDA_RUNTIME_API"), &b->runtime, &err))
		log_sentence(&b->log, FF_LOG_ERROR, "init", NULL, err.text);
	else if (configure(b, &err))
		tell_init_error(b, &err);
	else
		status = serve(b);
	release(b);
	return status;
}

int main(int argc, char **argv)
{
	struct bootstrap b = { .log = { STDERR_FILENO, FF_LOG_INFO } };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	bool stdout_closed;
	int status;

	terminal_fill_standard_streams(&stdout_closed);
	terminal_raise_open_files();
	status = answer_flags(argc, argv);
	if (status >= 0)
		return status;
	sigaction(SIGPIPE, &ignore, NULL); /* a log that nobody reads any more must not end the process */
	return run(&b);
}
