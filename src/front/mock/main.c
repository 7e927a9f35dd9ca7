/*
 * main.c: `fairforge mock`: flags, files, help. See mock.h.
 */
#include "front/mock/mock.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rand.h"
#include "front/mock/server.h"

#define FILE_MAX    ((size_t)1 << 30)
#define SECONDS_DAY 86400u

static const char help_text[] =
        "Usage: fairforge mock [FLAGS]\n"
        "Simulates OpenAI, Groq, Gemini, Ollama and Alquimia on one port, plain and streaming, until Ctrl-C.\n"
        "\n"
        "  --port N            port to listen on; 0 takes a free one (default 8080)\n"
        "  --listen ADDRESS    numeric address to listen on (default 127.0.0.1)\n"
        "  --answers FILE      answer with the ground truth of a dataset, array, payload or JSONL file\n"
        "  --latency MS        time before each answer (default 0)\n"
        "  --jitter MS         latency varies by up to so much, both ways (default 0)\n"
        "  --rpm N, --tpm N    limit requests, tokens a minute: headers and 429 as the providers send them\n"
        "  --require-key KEY   refuse every other key with 401\n"
        "  --script FILE       faults to order, as JSON (docs/mock.md, examples/faults.json)\n"
        "  --help              this text\n"
        "\n"
        "The first line on stdout is the address: listening on http://127.0.0.1:8080\n"
        "base_url of the clients: OpenAI http://HOST:PORT/v1, all others http://HOST:PORT.\n"
        "\n"
        "Example:\n"
        "  fairforge mock --port 8080 --answers examples/demo.json --latency 200 --rpm 600 &\n"
        "  fairforge run --dataset examples/demo.json --connector openai --model gpt-4o-mini \\\n"
        "    --param base_url=http://127.0.0.1:8080/v1 --param api_key=simulated\n";

struct flags {
	const char *listen, *answers, *script, *require_key;
	uint64_t port, latency_ms, jitter_ms, rpm, tpm;
	bool help;
};

enum flag {
	FLAG_PORT = 256,
	FLAG_LISTEN,
	FLAG_ANSWERS,
	FLAG_LATENCY,
	FLAG_JITTER,
	FLAG_RPM,
	FLAG_TPM,
	FLAG_KEY,
	FLAG_SCRIPT,
	FLAG_HELP
};

static const struct option long_options[] = {
	{ "port", required_argument, NULL, FLAG_PORT },
	{ "listen", required_argument, NULL, FLAG_LISTEN },
	{ "answers", required_argument, NULL, FLAG_ANSWERS },
	{ "latency", required_argument, NULL, FLAG_LATENCY },
	{ "jitter", required_argument, NULL, FLAG_JITTER },
	{ "rpm", required_argument, NULL, FLAG_RPM },
	{ "tpm", required_argument, NULL, FLAG_TPM },
	{ "require-key", required_argument, NULL, FLAG_KEY },
	{ "script", required_argument, NULL, FLAG_SCRIPT },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ NULL, 0, NULL, 0 },
};

/* ---- flags ---- */

static int read_number(const char *flag, const char *text, uint64_t least, uint64_t most, uint64_t *ret, struct error *err)
{
	if (str_to_u64(str_from(text), ret) && *ret >= least && *ret <= most)
		return 0;
	return error_set(err, FF_EUSAGE, "", "%s needs a whole number from %llu to %llu, not \"%s\".", flag,
	                 (unsigned long long)least, (unsigned long long)most, text);
}

static int read_flag(struct flags *f, int flag, const char *value, struct error *err)
{
	const uint64_t day_ms = (uint64_t)SECONDS_DAY * 1000;

	switch (flag) {
	case FLAG_PORT: return read_number("--port", value, 0, 65535, &f->port, err);
	case FLAG_LATENCY: return read_number("--latency", value, 0, day_ms, &f->latency_ms, err);
	case FLAG_JITTER: return read_number("--jitter", value, 0, day_ms, &f->jitter_ms, err);
	case FLAG_RPM: return read_number("--rpm", value, 1, 1000000000, &f->rpm, err);
	case FLAG_TPM: return read_number("--tpm", value, 1, 1000000000000, &f->tpm, err);
	case FLAG_LISTEN: f->listen = value; return 0;
	case FLAG_ANSWERS: f->answers = value; return 0;
	case FLAG_SCRIPT: f->script = value; return 0;
	case FLAG_HELP: f->help = true; return 0;
	case FLAG_KEY:
		f->require_key = value;
		return value[0] ? 0 : error_set(err, FF_EUSAGE, "", "--require-key needs a key that is not empty.");
	default: return FF_EUSAGE; /* getopt has said what is wrong */
	}
}

static int read_flags(int argc, char **argv, struct flags *f, struct error *err)
{
	int flag, code = 0;

	*f = (struct flags){ .listen = "127.0.0.1", .port = 8080 };
	optind = 0; /* starts afresh, also within a program that parsed other flags before */
	while (code == 0 && (flag = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		code = read_flag(f, flag, optarg, err);
	if (code == 0 && !f->help && optind < argc)
		code = error_set(err, FF_EUSAGE, "", "mock takes flags only, not \"%s\".", argv[optind]);
	return code;
}

/* ---- files ---- */

/* Reads a whole file; "-" is stdin. */
static int read_file(const char *path, struct buf *out, struct error *err)
{
	bool standard_input = strcmp(path, "-") == 0;
	FILE *file = standard_input ? stdin : fopen(path, "rb");
	char *room;
	size_t n;
	int code = 0;

	if (!file)
		return error_set(err, FF_EIO, path, "The file cannot be opened: %s.", strerror(errno));
	do {
		room = buf_reserve(out, (size_t)64 << 10);
		n = room ? fread(room, 1, (size_t)64 << 10, file) : 0;
		if (n)
			buf_commit(out, n);
	} while (n);
	if (buf_failed(out))
		code = error_set(err, buf_failed(out), path,
		                 "The file does not fit: it has more than %zu bytes, or memory is short.", FILE_MAX);
	else if (ferror(file))
		code = error_set(err, FF_EIO, path, "The file cannot be read: %s.", strerror(errno));
	if (!standard_input)
		fclose(file);
	return code;
}

static int load_answers(struct mock *m, const char *path, struct error *err)
{
	struct error inner = { 0 };
	struct buf text;
	int code;

	buf_init(&text, FILE_MAX);
	code = read_file(path, &text, err);
	if (!code && (code = answers_add(&m->answers, buf_str(&text), &inner)))
		error_set(err, code, path, "%s%s%s", inner.where, inner.where[0] ? ": " : "", inner.text);
	buf_release(&text);
	return code;
}

/* Says every problem of the script, then fails with their number. */
static int load_script(struct mock *m, const char *path, struct error *err)
{
	struct problems problems;
	struct buf text;
	int code;

	buf_init(&text, FILE_MAX);
	problems_init(&problems);
	code = read_file(path, &text, err);
	if (!code && (code = script_parse(&m->script, buf_str(&text), &problems))) {
		for (const struct problem *p = problems.first; p; p = p->next)
			fprintf(stderr, "fairforge mock: %s: %s%s%s\n", path, p->pointer, p->pointer[0] ? ": " : "", p->text);
		if (code == FF_ENOMEM)
			error_nomem(err);
		else
			error_set(err, code, path, "The script has %zu problem%s.", problems.errors,
			          problems.errors == 1 ? "" : "s");
	}
	problems_release(&problems);
	buf_release(&text);
	return code;
}

static int load(struct mock *m, const struct flags *f, struct error *err)
{
	int code = f->answers ? load_answers(m, f->answers, err) : 0;

	if (!code && f->script)
		code = load_script(m, f->script, err);
	m->require_key = str_from(f->require_key);
	m->latency_us = f->latency_ms * 1000;
	m->jitter_us = f->jitter_ms * 1000;
	rate_init(&m->rate, m->script.kind, m->script.window_us, f->rpm, f->tpm);
	return code;
}

/* ---- the command ---- */

/* As many descriptors as we may have; returns how many connections that allows. */
static unsigned raise_descriptors(void)
{
	struct rlimit limit;
	rlim_t most = 1024;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
			most = limit.rlim_cur;
	}
	return (unsigned)MIN(MAX(most, (rlim_t)80) - 64, (rlim_t)200000);
}

static int serve(const struct flags *f, struct error *err)
{
	struct server_options options = { .listen = f->listen, .port = (uint16_t)f->port, .max_connections = raise_descriptors() };
	struct mock mock;
	int code;

	mock_init(&mock, rand_seed_from_os());
	signal(SIGPIPE, SIG_IGN); /* a client that goes is an error of its connection, not of the simulator */
	code = load(&mock, f, err);
	code = code ? code : server_run(&mock, &options, err);
	mock_release(&mock);
	return code;
}

int mock_main(int argc, char **argv)
{
	struct error err = { 0 };
	struct flags flags;
	int code = read_flags(argc, argv, &flags, &err);

	if (!code && flags.help) {
		fputs(help_text, stdout);
		return fflush(stdout) ? error_exit_status(FF_EOUTPUT) : 0;
	}
	code = code ? code : serve(&flags, &err);
	if (!code)
		return 0;
	if (err.text[0])
		fprintf(stderr, "fairforge mock: %s%s%s\n", err.where, err.where[0] ? ": " : "", err.text);
	if (code == FF_EUSAGE)
		fputs("Try 'fairforge mock --help'.\n", stderr);
	return error_exit_status(code);
}
