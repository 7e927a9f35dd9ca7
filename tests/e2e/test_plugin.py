"""Runners in shared libraries: built here with the compiler of the machine, loaded by the real binary. What does not fit is refused before the first
turn; what misbehaves is contained."""
import json
import shutil
import subprocess

import pytest

from conftest import ROOT, KEY, batch, dataset, fairforge

CC = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(not CC, reason="no C compiler")

HEAD = """
#include <fairforge/fairforge.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define EXPORT __attribute__((visibility("default")))
"""
TYPE = "EXPORT extern const struct ff_runner_type fairforge_plugin;\nconst struct ff_runner_type fairforge_plugin = { .size = sizeof(fairforge_plugin), .abi = FF_RUNNER_ABI, .name = \"tester\", %s };"
PONG = "static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; (void)b; ff_complete_text(done, \"pong\"); }\n"


def build(tmp_path, source, name="plugin.so", *flags):
    (tmp_path / "plugin.c").write_text(HEAD + source)
    library = tmp_path / name
    subprocess.run([CC, "-std=gnu11", "-Wall", "-Werror", "-shared", "-fPIC", "-I", str(ROOT / "include"), *flags, str(tmp_path / "plugin.c"), "-pthread",
                    "-o", str(library)], check=True)
    return library


def run(library, *args, data=None, **more):
    return fairforge("run", "--plugin", library, "--dataset", "-", *args, stdin=data or dataset(batch(), batch("three?", "q2")), **more)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """examples/plugin.c, built as its comment says."""
    library = tmp_path_factory.mktemp("example") / "plugin.so"
    subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-D_POSIX_C_SOURCE=200809L", "-shared", "-fPIC", "-I", str(ROOT / "include"),
                    str(ROOT / "examples" / "plugin.c"), "-pthread", "-o", str(library)], check=True)
    return library


def test_example(example):
    result = run(example, "--runner-arg", "greeting=Hello")
    assert result.status == 0 and result.answers == ["Hello, What is 2+2?", "Hello, three?"], result
    assert result.json["summaries"][0]["successes"] == 2
    assert "Turns are answered by the runner greeter" in result.err, result


def test_example_with_many_turns(example):
    lines = "\n".join(json.dumps(dataset(*(batch("n%d" % i, str(i)) for i in range(20)), session_id="s%d" % s)) for s in range(50))
    result = run(example, "--runner-arg", "greeting=Hi", "--concurrency", "64", data=lines)
    assert result.status == 0 and len(result.answers) == 1000 and set(result.answers) == {"Hi, n%d" % i for i in range(20)}, result


def test_example_in_the_current_folder(example):
    """A name without a slash is a file, not something to look up."""
    result = run("plugin.so", "--runner-arg", "greeting=Hi", cwd=example.parent)
    assert result.status == 0, result
    result = run("libz.so.1", cwd=example.parent)
    assert result.status == 64 and "libz.so.1 cannot be loaded: No such file or directory." in result.err, result


def test_arguments_from_environment_and_file(example, tmp_path):
    (tmp_path / "greeting").write_text("From a file\n")
    result = run(example, "--runner-arg", "greeting=env:GREETING", env={"GREETING": "From outside"})
    assert result.answers[0] == "From outside, What is 2+2?", result
    result = run(example, "--runner-arg", "greeting=file:%s" % (tmp_path / "greeting"))
    assert result.answers[0] == "From a file, What is 2+2?", result
    result = run(example, "--runner-arg", "greeting=env:NOT_SET")
    assert result.status == 64 and "The environment variable NOT_SET is not set." in result.err and not result.json["success"], result


def test_check(example):
    result = fairforge("check", "--plugin", example, "--runner-arg", "greeting=Hi", "--dataset", "-", stdin=dataset())
    assert result.status == 0 and "runner, at greeter; 0 errors, 0 warnings" in result.out, result
    result = fairforge("check", "--plugin", example, "--dataset", "-", stdin=dataset())
    assert result.status == 64 and "The argument greeting is missing" in result.out, result


def test_open_refuses(example):
    result = run(example)
    assert result.status == 64, result
    assert result.json == {"success": False, "error": "Failed to create runner: greeter: The argument greeting is missing: give --runner-arg greeting=TEXT."}


def test_a_payload_works_too(example):
    result = fairforge("run", "--plugin", example, "--runner-arg", "greeting=Hi", "-", stdin={"datasets": [dataset()], "options": {"concurrency": 2}})
    assert result.status == 0 and result.answers == ["Hi, What is 2+2?"], result


# ---- what does not fit ----

def test_not_a_library(tmp_path):
    (tmp_path / "text.so").write_text("hello")
    (tmp_path / "folder.so").mkdir()
    for name, words in (("none.so", "No such file or directory."), ("text.so", "cannot be loaded: "), ("folder.so", "it is not a file.")):
        result = run(tmp_path / name)
        assert result.status == 64 and words in result.err and result.out == "" and result.err.count("\n") == 1, result


def test_half_a_library(example, tmp_path):
    """The loader itself would crash on it."""
    whole = example.read_bytes()
    for size in (100, 1000, len(whole) // 2 & ~4095):
        (tmp_path / "half.so").write_bytes(whole[:size])
        result = run(tmp_path / "half.so")
        assert result.status == 64 and "half.so cannot be used: the file is cut off." in result.err and result.err.count("\n") == 1, result


BAD = {
    "no symbol": ("int something_else;", "it exports no fairforge_plugin"),
    "hidden symbol": (PONG + TYPE.replace("EXPORT extern", "__attribute__((visibility(\"hidden\"))) extern") % ".run_batch = run_batch",
                      "it exports no fairforge_plugin"),
    "a function": ("EXPORT int fairforge_plugin(void); int fairforge_plugin(void) { return 1; }", "its fairforge_plugin is no struct ff_runner_type."),
    "a pointer": ("EXPORT extern void *fairforge_plugin; void *fairforge_plugin;", "its fairforge_plugin is no struct ff_runner_type."),
    "other version": (PONG + "EXPORT extern const struct ff_runner_type fairforge_plugin; const struct ff_runner_type fairforge_plugin = { .size = sizeof(fairforge_plugin), "
                      ".abi = 2, .name = \"x\", .run_batch = run_batch };", "It speaks version 2 of the runner interface"),
    "too small": (PONG + TYPE % ".run_batch = run_batch", "Its struct ff_runner_type has 40 bytes"),
    "smaller than it says": ("EXPORT extern const struct little { size_t size; unsigned abi, flags; } fairforge_plugin; const struct little "
                             "fairforge_plugin = { sizeof(struct ff_runner_type), FF_RUNNER_ABI, 0 };", "is smaller than its size says."),
    "no size": (PONG + "EXPORT extern const struct ff_runner_type fairforge_plugin; const struct ff_runner_type fairforge_plugin = { .abi = FF_RUNNER_ABI, .run_batch = run_batch };",
                "It is not a runner of fairforge: its size is 0"),
    "no functions": (TYPE % ".flags = 0", "tester has neither run_batch nor run_dataset"),
    "unknown flags": (PONG + TYPE % ".run_batch = run_batch, .flags = 64", "tester has flags (0x40) that this fairforge does not know."),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(tmp_path, case):
    source, words = BAD[case]
    if case == "too small":
        source = source.replace(".size = sizeof(fairforge_plugin)", ".size = 40")
    library = build(tmp_path, source)
    for command in ("run", "check"):
        result = fairforge(command, "--plugin", library, "--dataset", "-", stdin=dataset())
        assert result.status == 64 and words in result.err and "plugin.so" in result.err and result.err.count("\n") == 1, result


def test_missing_names_are_found_at_once(tmp_path):
    library = build(tmp_path, "void not_there(void); static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; (void)b; (void)done; not_there(); }\n"
                    + TYPE % ".run_batch = run_batch")
    result = run(library)
    assert result.status == 64 and "undefined symbol: not_there" in result.err, result


@pytest.mark.parametrize("flags", [["--connector", "openai"], ["--model", "m"], ["--param", "a=b"], ["--worker", "true"]])
def test_takes_the_place_of_a_connector(example, flags):
    result = run(example, *flags)
    assert result.status == 64 and "--plugin takes the place of a connector" in result.err, result


def test_wrong_use_of_flags(example):
    result = fairforge("run", "--runner-arg", "a=b", "--dataset", "-", stdin=dataset())
    assert result.status == 64 and "--runner-arg needs" in result.err, result
    result = run(example, "--plugin", example)
    assert result.status == 64 and "can be given once only" in result.err, result
    result = run(example, "--runner-arg", "nothing")
    assert result.status == 64 and "NAME=VALUE" in result.err, result


@pytest.mark.parametrize("payload", [{"plugin": "./x.so"}, {"runner_arg": {"a": 1}}])
def test_never_named_by_a_payload(payload):
    result = fairforge("run", "-", stdin={"datasets": [dataset()], **payload})
    assert result.status == 64 and "named on the command line only" in result.err, result


@pytest.mark.parametrize("name", ["FAIRFORGE_PLUGIN", "FAIRFORGE_RUNNER_ARG"])
def test_never_named_by_the_environment(example, name):
    result = run(example, "--runner-arg", "greeting=Hi", env={name: "./x.so"})
    assert result.status == 64 and name in result.err, result


# ---- what misbehaves ----

def test_completes_twice(tmp_path):
    library = build(tmp_path, PONG.replace("ff_complete_text(done, \"pong\");", "ff_complete_text(done, \"pong\"); ff_complete_text(done, \"no\"); ff_complete(done, NULL);")
                    + TYPE % ".run_batch = run_batch")
    result = run(library)
    assert result.status == 0 and result.answers == ["pong", "pong"] and "completions were ignored" in result.err, result


def test_never_completes(tmp_path):
    library = build(tmp_path, "static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; if (b->index) ff_complete_text(done, \"pong\"); }\n"
                    + TYPE % ".run_batch = run_batch")
    result = run(library, "--timeout", "100ms")
    assert result.status == 1 and result.answers[1] == "pong", result
    assert result.answers[0] == "[ERROR] tester: the turn's timeout of 0.1 s passed before the answer was complete.", result
    assert "1 call was never completed" in result.err, result


PRINTS = """
#include <string.h>
static int open_it(const struct ff_runner_args *a, void **s, struct ff_error *e) { (void)a; (void)s; (void)e; puts("from open"); return 0; }
static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done)
{
	(void)s; (void)b;
	printf("from run_batch\\n");
	fflush(stdout);
	if (write(1, "plain\\n", 6) != 6)
		abort();
	ff_complete_text(done, "pong");
}
"""


def test_prints_stay_out_of_the_document(tmp_path):
    library = build(tmp_path, PRINTS + TYPE % ".open = open_it, .run_batch = run_batch")
    result = run(library)
    assert result.status == 0 and result.answers == ["pong", "pong"], result
    assert all(w in result.err for w in ("from open", "from run_batch", "plain")), result
    result = fairforge("check", "--plugin", library, "--dataset", "-", "--json", stdin=dataset())
    assert result.json["ok"] and "from open" in result.err, result


EXITS = {
    "constructor": PONG + "__attribute__((constructor)) static void early(void) { exit(0); }\n" + TYPE % ".run_batch = run_batch",
    "open": PONG + "static int open_it(const struct ff_runner_args *a, void **s, struct ff_error *e) { (void)a; (void)s; (void)e; exit(0); }\n"
    + TYPE % ".open = open_it, .run_batch = run_batch",
    "run_batch": "static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; (void)b; (void)done; exit(0); }\n" + TYPE % ".run_batch = run_batch",
}


@pytest.mark.parametrize("where", EXITS)
def test_exit_is_no_success(tmp_path, where):
    library = build(tmp_path, EXITS[where])
    (tmp_path / "out").mkdir()
    result = run(library, "-o", tmp_path / "out" / "o.json")
    assert result.status == 70 and "plugin.so ended the process by exit, and with it the run." in result.err, result
    assert list((tmp_path / "out").iterdir()) == []


THREAD_AFTER_CLOSE = """
struct late { const struct ff_batch *batch; struct ff_completion done; };
static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;
static void *later(void *p)
{
	struct late *l = p;
	pthread_mutex_lock(&hold); /* until close, which breaks its promise: a thread goes on */
	pthread_mutex_unlock(&hold);
	for (int i = 0; i < 1000; i++) {
		if (l->batch->query.ptr[0] == 0)
			abort();
		ff_complete_text(l->done, l->batch->query.ptr);
	}
	return NULL;
}
static int open_it(const struct ff_runner_args *a, void **s, struct ff_error *e) { (void)a; (void)s; (void)e; pthread_mutex_lock(&hold); return 0; }
static void close_it(void *s) { (void)s; pthread_mutex_unlock(&hold); }
static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done)
{
	static struct late all[8];
	static int n;
	pthread_t t;
	(void)s;
	all[n] = (struct late){ b, done };
	if (pthread_create(&t, NULL, later, &all[n++]) == 0)
		pthread_detach(t);
}
"""


def test_threads_after_close(tmp_path):
    """The batch a lost thread still reads is there, and what it completes is ignored: no crash, a documented end."""
    library = build(tmp_path, THREAD_AFTER_CLOSE + TYPE % ".open = open_it, .close = close_it, .run_batch = run_batch")
    result = run(library, "--timeout", "50ms")
    assert result.status == 1 and all(a.startswith("[ERROR]") for a in result.answers), result


def test_hangs_in_run_batch(tmp_path):
    """Nobody takes the signals any more: the last of several ends the process, and the file written aside is gone."""
    library = build(tmp_path, """
static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; (void)b; (void)done; for (;;) kill(getpid(), SIGINT); }
""".replace("static", "#include <signal.h>\nstatic", 1) + TYPE % ".run_batch = run_batch")
    (tmp_path / "out").mkdir()
    result = run(library, "-o", tmp_path / "out" / "o.json")
    assert result.status == 130 and list((tmp_path / "out").iterdir()) == [], result


def test_secrets_do_not_leave(tmp_path):
    source = """
static char key[100];
static int open_it(const struct ff_runner_args *a, void **s, struct ff_error *e) { (void)s; (void)e; snprintf(key, sizeof(key), "%s", ff_runner_arg(a, "api_key")); return 0; }
static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { char t[200]; (void)s; (void)b; snprintf(t, sizeof(t), "Refused %s.", key); ff_complete_error(done, t); }
"""
    library = build(tmp_path, source + TYPE % ".open = open_it, .run_batch = run_batch")
    for value in ("env:THE_KEY", KEY):
        result = run(library, "--runner-arg", "api_key=" + value, "--log-level", "debug", env={"THE_KEY": KEY})
        assert result.status == 1 and result.answers[0] == "[ERROR] Refused [REDACTED]." and KEY not in result.err, result


def test_datasets(tmp_path):
    source = """
static void run_dataset(void *s, const struct ff_dataset *d, struct ff_completion done)
{
	(void)s;
	for (size_t i = d->batch_count; i-- > 0;) {
		struct ff_answer a = FF_INIT(struct ff_answer);
		char changes[100];
		snprintf(changes, sizeof(changes), "{\\"observation\\": \\"batch %zu\\"}", i);
		a.answer = "done", a.batch_json = changes;
		ff_complete(d->completions[i], &a);
	}
	ff_complete(done, NULL);
}
"""
    library = build(tmp_path, source + TYPE % ".run_dataset = run_dataset, .max_concurrency = 2")
    lines = "\n".join(json.dumps(dataset(*(batch(qa_id=str(i)) for i in range(3)), session_id="s%d" % s)) for s in range(5))
    result = run(library, data=lines)
    assert result.status == 0 and result.answers == ["done"] * 15, result
    assert [b["observation"] for b in result.json["datasets"][4]["conversation"]] == ["batch 0", "batch 1", "batch 2"], result


def test_interrupted(tmp_path):
    """A second signal ends a run whose plugin never answers at once: the plugin is closed, the output whole."""
    library = build(tmp_path, """
static void run_batch(void *s, const struct ff_batch *b, struct ff_completion done) { (void)s; (void)b; (void)done; kill(getpid(), SIGINT); kill(getpid(), SIGINT); }
""".replace("static", "#include <signal.h>\nstatic", 1) + TYPE % ".run_batch = run_batch")
    result = run(library)
    assert result.status == 130 and "[ERROR]" in result.answers[0], result

