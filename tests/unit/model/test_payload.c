/* test_payload.c: which document an input is, and its datasets one after the other, from text, files and pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/payload.h"

#define BATCH   "{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"}"
#define SET(id) "{\"session_id\":\"" id "\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH "]}"

struct fixture {
	struct payload *payload;
	struct dataset_source *source;
	struct json_notes notes;
	struct problems problems;
	struct error err;
	int code;
	char sessions[256]; /* ids of the datasets of the last pass: "0:s 1:t " */
};

/* ---- opening ---- */

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	problems_init(&f->problems);
}

static void open_text(struct fixture *f, struct str text, const char *name, bool as_datasets)
{
	start(f);
	f->code = input_open_text(text, name, as_datasets, NULL, &f->payload, &f->source, &f->notes, &f->err);
}

static int file_of(struct str text)
{
	char path[] = "/tmp/fairforge-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* A pipe that a child fills, so that any size fits. */
static int pipe_of(struct str text, pid_t *ret_child)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	*ret_child = fork();
	assert_true(*ret_child >= 0);
	if (*ret_child == 0) {
		size_t done = 0;
		close(ends[0]);
		while (done < text.len) {
			ssize_t put = write(ends[1], text.ptr + done, MIN(text.len - done, (size_t)1000));
			if (put <= 0)
				break;
			done += (size_t)put;
		}
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void open_fd(struct fixture *f, int fd, const char *name, bool as_datasets, const struct json_limits *limits)
{
	start(f);
	f->code = input_open(fd, name, as_datasets, limits, &f->payload, &f->source, &f->notes, &f->err);
}

static void unload(struct fixture *f)
{
	dataset_source_free(f->source);
	payload_free(f->payload);
	problems_release(&f->problems);
}

static void read_pass(struct fixture *f)
{
	struct dataset *d;
	size_t at = 0;
	int code;
	f->sessions[0] = '\0';
	while ((code = dataset_source_next(f->source, &f->problems, &d, &f->err)) == 1) {
		int len = snprintf(f->sessions + at, sizeof(f->sessions) - at, "%zu:%.*s ", d->index, STR_ARG(d->session_id));
		at = MIN(at + (size_t)len, sizeof(f->sessions) - 1);
		dataset_free(d);
	}
	f->code = code;
}

static void assert_sessions(struct fixture *f, const char *expected)
{
	if (f->code)
		fail_msg("opening failed: %s: %s", f->err.where, f->err.text);
	for (int pass = 0; pass < 2; pass++) {
		read_pass(f);
		if (f->code)
			fail_msg("reading failed: %s", f->err.text);
		assert_string_equal(f->sessions, expected);
		assert_int_equal(dataset_source_rewind(f->source, &f->err), 0);
	}
}

static void assert_only_problem(struct fixture *f, const char *pointer, const char *text)
{
	if (f->problems.errors != 1)
		fail_msg("expected one problem, got %zu", f->problems.errors);
	assert_string_equal(f->problems.first->pointer, pointer);
	assert_string_equal(f->problems.first->text, text);
}

static void assert_refused(struct fixture *f, int code, const char *text)
{
	if (f->code != code || strcmp(f->err.text, text) != 0)
		fail_msg("expected %s \"%s\", got %s \"%s\"", error_code_name(code), text, error_code_name(f->code), f->err.text);
	assert_string_equal(f->err.where, "in.json");
	assert_null(f->source);
	assert_null(f->payload);
}

/* ---- what an input is ---- */

static void documents_are_told_apart(void **state)
{
	static const struct {
		const char *text, *name;
		bool as_datasets, payload;
		const char *sessions;
	} cases[] = {
		{ "{\"datasets\":[" SET("s") "," SET("t") "]}", "in.json", false, true, "0:s 1:t " },
		{ "{\"connector\":{},\"session_id\":\"s\",\"datasets\":[" SET("s") "]}", "in.json", false, true, "0:s " },
		{ "{\"datasets\":[]}", "in.json", false, true, "" },
		{ "{\"datasets\":null,\"config\":{}}", "in.json", false, true, "" },
		{ "{\"datasets\":0}", "in.json", false, true, "" },
		{ "{\"datasets\":\"\"}", "in.json", false, true, "" },
		{ "{\"datasets\":{}}", "in.json", false, true, "" },
		{ "{}", "in.json", false, true, "" },
		{ "{\"more\":1}", "in.json", false, true, "" },
		{ "{\"options\":{}}", "in.json", false, true, "" },
		{ SET("s"), "in.json", false, false, "0:s " },
		{ SET("s") "\n", "in.jsonl", false, false, "0:s " },
		{ " \n" SET("s") " \n\n", "in.json", false, false, "0:s " },
		{ "\xEF\xBB\xBF" SET("s"), "in.json", false, false, "0:s " },
		{ "\xEF\xBB\xBF\n" SET("s") "\n" SET("t") "\n", "in.json", false, false, "0:s 1:t " },
		{ "[]", "in.json", false, false, "" },
		{ "[" SET("s") ",\n" SET("t") "]", "in.json", false, false, "0:s 1:t " },
		{ SET("s") "\n" SET("t"), "in.json", false, false, "0:s 1:t " },
		{ SET("s") "\r\n\r\n \t\n" SET("t") "\r\n" SET("u") "\n\n", "in.json", false, false, "0:s 1:t 2:u " },
		{ "\xEF\xBB\xBF" SET("s") "\n\xEF\xBB\xBF" SET("t"), "in.json", false, false, "0:s 1:t " },
		{ "{\"session_id\":\"s\",\"options\":{},\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[]}", "in.json",
		  true, false, "0:s " },
		{ "{\"session_id\":\"s\",\n\"assistant_id\":\"a\",\n\"context\":\"\",\n\"conversation\":[]}\n", "in.jsonl.json",
		  false, false, "0:s " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		int fd;
		pid_t child;
		open_text(&f, str_from(cases[i].text), cases[i].name, cases[i].as_datasets);
		assert_sessions(&f, cases[i].sessions);
		assert_int_equal(f.payload != NULL, cases[i].payload);
		unload(&f);
		fd = file_of(str_from(cases[i].text));
		open_fd(&f, fd, cases[i].name, cases[i].as_datasets, NULL);
		assert_sessions(&f, cases[i].sessions);
		assert_int_equal(f.payload != NULL, cases[i].payload);
		unload(&f);
		close(fd);
		fd = pipe_of(str_from(cases[i].text), &child);
		open_fd(&f, fd, cases[i].name, cases[i].as_datasets, NULL);
		assert_sessions(&f, cases[i].sessions);
		assert_int_equal(f.payload != NULL, cases[i].payload);
		unload(&f);
		close(fd);
		waitpid(child, NULL, 0);
	}
}

static void the_members_of_a_payload(void **state)
{
	struct fixture f;
	(void)state;
	open_text(&f, STR("{\"connector\":{\"class_path\":\"x\"},\"options\":null,\"datasets\":[]}"), "in.json", false);
	assert_int_equal(f.code, 0);
	assert_true(str_eq(json_get_lit(f.payload->connector, "class_path")->text, STR("x")));
	assert_null(f.payload->config);
	assert_int_equal(f.payload->options->type, JSON_NULL);
	assert_false(json_truthy(f.payload->datasets));
	unload(&f);
}

static void what_cannot_be_an_input(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "", "The input is not valid JSON: line 1, column 1: the text is empty." },
		{ " \n", "The input is not valid JSON: line 2, column 1: the text is empty." },
		{ "\"x\"", "The input must be a payload, a dataset or an array of datasets, not a string." },
		{ "null", "The input must be a payload, a dataset or an array of datasets, not null." },
		{ "{\"datasets\": [\n{\"session_id\": }]}",
		  "The input is not valid JSON: line 2, column 16 (at /datasets/0/session_id): expected a value." },
		{ "{\"datasets\":[]}\n{\"datasets\":[]}\n",
		  "The input is not valid JSON: line 2, column 1: there is text after the end of the document." },
		{ "{\"session_id\":nul}\n{}\n", "The input is not valid JSON: line 1, column 18 (at /session_id): expected null." },
		{ SET("s") SET("t"),
		  "The input is not valid JSON: line 1, column 138: there is text after the end of the document." },
		{ "[]\n[]\n", "The input is not valid JSON: line 2, column 1: there is text after the end of the document." },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		int fd;
		open_text(&f, str_from(cases[i].text), "in.json", false);
		assert_refused(&f, FF_EDATA, cases[i].sentence);
		unload(&f);
		fd = file_of(str_from(cases[i].text));
		open_fd(&f, fd, "in.json", false, NULL);
		assert_refused(&f, FF_EDATA, cases[i].sentence);
		unload(&f);
		close(fd);
	}
}

static void datasets_that_are_no_array(void **state)
{
	struct fixture f;
	(void)state;
	open_text(&f, STR("{\"datasets\": " SET("s") "}"), "in.json", false);
	assert_int_equal(f.code, 0);
	assert_true(json_truthy(f.payload->datasets));
	read_pass(&f);
	assert_int_equal(f.code, 0);
	assert_only_problem(&f, "/datasets",
	                    "The member \"datasets\" must be an array of datasets, not an object: a single one stands in [ ].");
	unload(&f);
	open_text(&f, STR("{\"datasets\": \"abc\"}"), "in.json", false);
	read_pass(&f);
	assert_only_problem(&f, "/datasets", "The member \"datasets\" must be an array of datasets, not a string.");
	assert_int_equal(dataset_source_rewind(f.source, &f.err), 0);
	read_pass(&f);
	assert_int_equal(f.problems.errors, 2);
	unload(&f);
}

/* ---- problems ---- */

static void problems_have_their_pointers(void **state)
{
	static const struct {
		const char *text, *pointer, *sentence, *sessions;
	} cases[] = {
		{ "{\"datasets\":[" SET("s") ",7," SET("u") "]}", "/datasets/1", "A dataset must be an object, not a number.",
		  "0:s 2:u " },
		{ "[" SET("s") ",{\"session_id\":\"t\",\"assistant_id\":\"\",\"context\":5,\"conversation\":[]}]", "/1/context",
		  "The field \"context\" must be a string, not a number.", "0:s " },
		{ "{\"session_id\":\"t\",\"assistant_id\":\"\",\"conversation\":[]}", "/context",
		  "The field \"context\" is required, but missing.", "" },
		{ SET("s") "\n\n{\"session_id\":\"t\",\"assistant_id\":\"\",\"context\":\"\",\"conversation\":[" BATCH
		           ",{}],}\n" SET("u"),
		  "line 3", "The line is not valid JSON: column 140: expected a name in double quotes after ','.", "0:s 2:u " },
		{ SET("s") "\n{\"a\":[tru]}\n", "line 2: /a/0", "The line is not valid JSON: column 10: expected true.", "0:s " },
		{ SET("s") "\n5\n" SET("u"), "line 2", "A dataset must be an object, not a number.", "0:s 2:u " },
		{ SET("s") "\n{\"session_id\":\"t\",\"assistant_id\":\"\",\"context\":\"\",\"conversation\":[7]}\n",
		  "line 2: /conversation/0", "A batch of a conversation must be an object, not a number.", "0:s " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		open_text(&f, str_from(cases[i].text), "in.json", false);
		assert_int_equal(f.code, 0);
		read_pass(&f);
		assert_int_equal(f.code, 0);
		assert_string_equal(f.sessions, cases[i].sessions);
		assert_only_problem(&f, cases[i].pointer, cases[i].sentence);
		unload(&f);
	}
}

static void a_name_makes_broken_lines_jsonl(void **state)
{
	struct fixture f;
	(void)state;
	open_text(&f, STR("{broken\n" SET("t") "\n"), "in.jsonl", false);
	assert_int_equal(f.code, 0);
	read_pass(&f);
	assert_string_equal(f.sessions, "1:t ");
	assert_only_problem(&f, "line 1", "The line is not valid JSON: column 2: expected a name in double quotes or '}'.");
	unload(&f);
}

static void notes_of_documents_and_lines(void **state)
{
	struct fixture f;
	(void)state;
	open_text(&f, STR("{\"datasets\":[],\"a\":1,\"a\":\"\\ud800\"}"), "in.json", false);
	assert_int_equal(f.notes.duplicates, 1);
	assert_string_equal(f.notes.first_surrogate, "/a");
	assert_int_equal(f.payload->notes.duplicates, 1);
	unload(&f);
	open_text(&f,
	          STR(SET("s") "\n{\"session_id\":\"\\ud800\",\"session_id\":\"t\",\"assistant_id\":\"\",\"context\":\"\\udc00\","
	                       "\"conversation\":[],\"x\":{\"y\":1,\"y\":2}}\n"),
	          "in.json", false);
	assert_int_equal(f.notes.duplicates, 0);
	assert_sessions(&f, "0:s 1:t ");
	assert_int_equal(f.notes.duplicates, 2); /* the second pass does not count again */
	assert_string_equal(f.notes.first_duplicate, "line 2: /x/y");
	assert_int_equal(f.notes.lone_surrogates, 2);
	assert_string_equal(f.notes.first_surrogate, "line 2: /session_id");
	unload(&f);
}

/* ---- sizes ---- */

static void append_lines(struct buf *b, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)buf_printf(
		        b, "{\"session_id\":\"s%u\",\"assistant_id\":\"a\",\"context\":\"%0*d\",\"conversation\":[" BATCH "]}\n", i,
		        (int)(i % 700), 0);
}

/* More than what is looked at to tell the kind: from a file, from the middle of one, and spooled from a pipe. */
static void long_jsonl_is_streamed(void **state)
{
	enum { LINES = 5000 };
	struct buf b;
	struct fixture f;
	pid_t child;
	int fd;
	(void)state;
	buf_init(&b, 64 << 20);
	(void)buf_append_str(&b, STR("skipped\n"));
	append_lines(&b, LINES);
	assert_true(b.len > 2 << 20);
	for (int kind = 0; kind < 2; kind++) {
		if (kind == 0) {
			fd = file_of(buf_str(&b));
			assert_int_equal(lseek(fd, 8, SEEK_SET), 8);
		} else {
			fd = pipe_of(str_sub(buf_str(&b), 8, b.len), &child);
		}
		open_fd(&f, fd, "in.json", false, &(struct json_limits){ 4 << 20, 0 });
		assert_int_equal(f.code, 0);
		assert_null(f.payload);
		for (int pass = 0; pass < 2; pass++) {
			struct dataset *d;
			size_t n = 0;
			while ((f.code = dataset_source_next(f.source, &f.problems, &d, &f.err)) == 1) {
				char id[16];
				(void)snprintf(id, sizeof(id), "s%zu", n);
				assert_true(str_eq(d->session_id, str_from(id)));
				assert_int_equal(d->index, n++);
				dataset_free(d);
			}
			assert_int_equal(f.code, 0);
			assert_int_equal(n, LINES);
			assert_int_equal(dataset_source_datasets(f.source), LINES);
			assert_int_equal(dataset_source_batches(f.source), LINES);
			assert_int_equal(dataset_source_rewind(f.source, &f.err), 0);
		}
		unload(&f);
		close(fd);
	}
	waitpid(child, NULL, 0);
	buf_release(&b);
}

/* A document longer than what is looked at first: on one line, and with line ends inside. */
static void long_documents_are_read_whole(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct buf b;
		struct fixture f;
		pid_t child = -1;
		int fd;
		buf_init(&b, 64 << 20);
		(void)buf_append_str(&b, kind % 2 ? STR("{\n\"datasets\":[\n") : STR("{\"datasets\":["));
		for (int i = 0; i < 20000; i++)
			(void)buf_printf(&b, "%s" SET("s"), i == 0 ? "" : kind % 2 ? ",\n" : ",");
		(void)buf_append_str(&b, STR("]}\n"));
		fd = kind < 2 ? file_of(buf_str(&b)) : pipe_of(buf_str(&b), &child);
		open_fd(&f, fd, "in.json", false, NULL);
		if (f.code)
			fail_msg("refused: %s", f.err.text);
		assert_non_null(f.payload);
		read_pass(&f);
		assert_int_equal(f.code, 0);
		assert_int_equal(dataset_source_datasets(f.source), 20000);
		unload(&f);
		close(fd);
		if (child > 0)
			waitpid(child, NULL, 0);
		buf_release(&b);
	}
}

/* A million blank lines before, between and after: each is looked at once. */
static void blank_lines_cost_little(void **state)
{
	struct fixture f;
	struct buf b;
	(void)state;
	buf_init(&b, 64 << 20);
	for (int part = 0; part < 3; part++) {
		for (int i = 0; i < 1000000; i++)
			(void)buf_append_str(&b, STR(" \n"));
		if (part < 2)
			(void)buf_append_str(&b, STR(SET("s") "\n"));
	}
	open_text(&f, buf_str(&b), "in.json", false);
	assert_sessions(&f, "0:s 1:s ");
	unload(&f);
	buf_release(&b);
}

static void caps_are_named(void **state)
{
	struct json_limits limits = { 200, 5 };
	struct fixture f;
	struct buf b;
	int fd;
	(void)state;
	open_fd(&f, fd = file_of(STR("[" SET("s") "," SET("t") "]")), "in.json", false, &limits);
	assert_refused(&f, FF_ETOOBIG, "The input is too big: it is larger than the cap max-input-bytes allows (200).");
	unload(&f);
	close(fd);
	start(&f);
	f.code = input_open_text(STR("[" SET("s") "," SET("t") "]"), "in.json", false, &limits, &f.payload, &f.source, &f.notes,
	                         &f.err);
	assert_refused(&f, FF_ETOOBIG, "The input is too big: the text is larger than the cap max-input-bytes allows (200).");
	unload(&f);
	start(&f);
	f.code = input_open_text(STR("{\"datasets\":[[[[[[]]]]]]}"), "in.json", false, &limits, &f.payload, &f.source, &f.notes,
	                         &f.err);
	assert_refused(
	        &f, FF_ETOOBIG,
	        "The input is too big: line 1, column 17: arrays and objects are nested deeper than the cap max-depth allows (5).");
	unload(&f);
	buf_init(&b, 1 << 20);
	(void)buf_append_str(&b, STR(SET("s") "\n{\"session_id\":\""));
	for (int i = 0; i < 10000; i++)
		(void)buf_append_str(&b, STR("0123456789"));
	(void)buf_append_str(&b, STR("\"}\n{\"a\":[[[[[]]]]]}\n" SET("u") "\n"));
	for (int kind = 0; kind < 2; kind++) {
		fd = file_of(buf_str(&b));
		start(&f);
		if (kind)
			f.code = input_open_text(buf_str(&b), "in.jsonl", false, &limits, &f.payload, &f.source, &f.notes, &f.err);
		else
			f.code = input_open(fd, "in.jsonl", false, &(struct json_limits){ 200, 5 }, &f.payload, &f.source, &f.notes,
			                    &f.err);
		if (f.code)
			fail_msg("refused: %s", f.err.text);
		read_pass(&f);
		assert_string_equal(f.sessions, "0:s 3:u ");
		assert_int_equal(f.problems.errors, 2);
		assert_string_equal(f.problems.first->pointer, "line 2");
		assert_string_equal(f.problems.first->text, "The line is larger than the cap max-input-bytes allows (200).");
		assert_string_equal(f.problems.last->pointer, "line 3: /a/0/0/0/0");
		assert_non_null(strstr(f.problems.last->text, "max-depth allows (5)"));
		unload(&f);
		close(fd);
	}
	buf_release(&b);
}

/* ---- reading ---- */

static void a_whole_descriptor_is_read(void **state)
{
	struct buf b;
	struct error err;
	int fd = file_of(STR("0123456789"));
	(void)state;
	assert_int_equal(input_read_fd(fd, "x", 10, &b, &err), 0);
	assert_true(str_eq(buf_str(&b), STR("0123456789")));
	buf_release(&b);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(input_read_fd(fd, "x", 6, &b, &err), 0);
	assert_true(str_eq(buf_str(&b), STR("456789")));
	buf_release(&b);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(input_read_fd(fd, "x", 9, &b, &err), FF_ETOOBIG);
	assert_string_equal(err.where, "x");
	assert_non_null(strstr(err.text, "max-input-bytes allows (9)"));
	close(fd);
	fd = file_of(STR(""));
	assert_int_equal(input_read_fd(fd, "x", 9, &b, &err), 0);
	assert_int_equal(b.len, 0);
	buf_release(&b);
	close(fd);
}

static void what_cannot_be_read(void **state)
{
	struct fixture f;
	int folder = open("/", O_RDONLY | O_DIRECTORY);
	(void)state;
	open_fd(&f, folder, "in.json", false, NULL);
	assert_refused(&f, FF_EIO, "The input cannot be read: Is a directory.");
	unload(&f);
	close(folder);
	open_fd(&f, -1, "in.json", false, NULL);
	assert_refused(&f, FF_EIO, "The input cannot be read: Bad file descriptor.");
	unload(&f);
}

/* Non-blocking pipes are what a program may get as standard input. */
static void a_descriptor_that_does_not_block_is_waited_for(void **state)
{
	struct fixture f;
	pid_t child;
	int fd = pipe_of(STR("[" SET("s") "]"), &child);
	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	open_fd(&f, fd, "in.json", false, NULL);
	assert_sessions(&f, "0:s ");
	unload(&f);
	close(fd);
	waitpid(child, NULL, 0);
}

static void a_file_that_shrinks_between_passes_is_noticed(void **state)
{
	struct fixture f;
	int fd = file_of(STR(SET("s") "\n" SET("t") "\n"));
	(void)state;
	open_fd(&f, fd, "in.json", false, NULL);
	assert_sessions(&f, "0:s 1:t ");
	assert_int_equal(ftruncate(fd, sizeof(SET("s"))), 0);
	read_pass(&f);
	assert_int_equal(f.code, FF_EIO);
	assert_non_null(strstr(f.err.text, "changed while it was read"));
	unload(&f);
	close(fd);
}

/* ---- several sources ---- */

static void sources_are_joined_in_order(void **state)
{
	static const char *const texts[] = { SET("s") "\n7\n" SET("t") "\n", "[]", "{\"datasets\":[" SET("u") "," SET("v") "]}",
		                             SET("w") };
	struct fixture parts[4], f;
	struct dataset_source *sources[4];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		open_text(&parts[i], str_from(texts[i]), "in.json", false);
		assert_int_equal(parts[i].code, 0);
		sources[i] = parts[i].source;
		parts[i].source = NULL;
	}
	start(&f);
	assert_int_equal(dataset_source_join(sources, 4, &f.source), 0);
	assert_sessions(&f, "0:s 2:t 3:u 4:v 5:w ");
	assert_int_equal(dataset_source_datasets(f.source), 5);
	assert_int_equal(dataset_source_batches(f.source), 5);
	assert_int_equal(f.problems.errors, 2); /* one a pass */
	unload(&f);
	for (size_t i = 0; i < 4; i++)
		unload(&parts[i]);
	start(&f);
	assert_int_equal(dataset_source_join(NULL, 0, &f.source), 0);
	assert_sessions(&f, "");
	unload(&f);
}

/* The payload may be freed before the source, and the other way round. */
static void payload_and_source_are_freed_in_any_order(void **state)
{
	struct fixture f;
	(void)state;
	open_text(&f, STR("{\"datasets\":[" SET("s\\u00e9") "]}"), "in.json", false);
	payload_free(f.payload);
	f.payload = NULL;
	assert_sessions(&f, "0:s\xC3\xA9 ");
	unload(&f);
	open_text(&f, STR("{\"datasets\":[" SET("s\\u00e9") "]}"), "in.json", false);
	dataset_source_free(f.source);
	f.source = NULL;
	assert_true(str_eq(json_at(f.payload->datasets, STR("/0/session_id"))->text, STR("s\xC3\xA9")));
	unload(&f);
}

/* Real datasets, where they are at hand. */
static void published_datasets_load(void **state)
{
	static const struct {
		const char *name;
		size_t datasets, batches;
	} files[] = { { "agentic", 3, 9 }, { "dataset", 1, 10 }, { "gepa", 4, 8 }, { "regulatory", 1, 3 } };
	const char *root = getenv("FF_SOURCE_ROOT");
	char path[512];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/../shared/data", root ? root : ".");
	if (access(path, R_OK) != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct fixture f;
		int fd;
		(void)snprintf(path, sizeof(path), "%s/../shared/data/fair-forge-%s.json", root ? root : ".", files[i].name);
		fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		open_fd(&f, fd, files[i].name, false, NULL);
		assert_int_equal(f.code, 0);
		read_pass(&f);
		if (f.problems.errors)
			fail_msg("%s: %s: %s", files[i].name, f.problems.first->pointer, f.problems.first->text);
		assert_int_equal(dataset_source_datasets(f.source), files[i].datasets);
		assert_int_equal(dataset_source_batches(f.source), files[i].batches);
		unload(&f);
		close(fd);
	}
}

/* ---- memory that runs out ---- */

static const struct {
	const char *text;
	bool piped;
} worlds[] = { { "{\"connector\":{},\"datasets\":[" SET("s\\n") ",5]}", false },
	       { SET("s") "\n" SET("t") "\n{}\n", false },
	       { "{\"a\":", false },
	       { SET("s") "\n" SET("t") "\n", true } };
static size_t world;

/* What is refused for its content is no failure of memory. */
static int read_world(void)
{
	struct str text = str_from(worlds[world].text);
	struct dataset_source *both[1] = { NULL }, *joined = NULL;
	struct fixture f;
	pid_t child = -1;
	int code, fd = worlds[world].piped ? pipe_of(text, &child) : file_of(text);
	open_fd(&f, fd, "in.json", false, NULL);
	code = f.code;
	if (!code) {
		both[0] = f.source;
		code = dataset_source_join(both, 1, &joined);
		if (!code)
			f.source = joined;
	}
	if (!code) {
		read_pass(&f);
		code = f.code;
	}
	unload(&f);
	close(fd);
	if (child > 0)
		waitpid(child, NULL, 0);
	return code == FF_EDATA ? 0 : code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	for (world = 0; world < ARRAY_SIZE(worlds); world++)
		assert_true(fault_loop(read_world) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_told_apart),
		cmocka_unit_test(the_members_of_a_payload),
		cmocka_unit_test(what_cannot_be_an_input),
		cmocka_unit_test(datasets_that_are_no_array),
		cmocka_unit_test(problems_have_their_pointers),
		cmocka_unit_test(a_name_makes_broken_lines_jsonl),
		cmocka_unit_test(notes_of_documents_and_lines),
		cmocka_unit_test(long_jsonl_is_streamed),
		cmocka_unit_test(long_documents_are_read_whole),
		cmocka_unit_test(blank_lines_cost_little),
		cmocka_unit_test(caps_are_named),
		cmocka_unit_test(a_whole_descriptor_is_read),
		cmocka_unit_test(what_cannot_be_read),
		cmocka_unit_test(a_descriptor_that_does_not_block_is_waited_for),
		cmocka_unit_test(a_file_that_shrinks_between_passes_is_noticed),
		cmocka_unit_test(sources_are_joined_in_order),
		cmocka_unit_test(payload_and_source_are_freed_in_any_order),
		cmocka_unit_test(published_datasets_load),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
