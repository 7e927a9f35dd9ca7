"""Installs the library into a folder of its own and builds against it, as a C and a C++ user would."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FAIRFORGE_BUILD", ROOT / "build"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(folder)], check=True)
    (pc,) = folder.rglob("fairforge.pc")
    return folder, pc


def pkg_config(prefix, *what):
    folder, pc = prefix
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(folder)}
    out = subprocess.run(["pkg-config", *what, "fairforge"], env=env, check=True, capture_output=True, text=True).stdout.split()
    # The sysroot is put before the paths of the system's own libraries too: those stay where they are.
    return [w if not w[:2] in ("-I", "-L") or pathlib.Path(w[2:]).exists() else w[:2] + w[2:].removeprefix(str(folder)) for w in out]


def compile_c(prefix, tmp_path, source, *flags, compiler="cc", static=False):
    program = tmp_path / "program"
    libs = pkg_config(prefix, "--libs")
    if static:  # only fairforge itself: the libraries below it stay shared, as the distribution has them
        (archive,) = prefix[0].rglob("libfairforge.a")
        below = subprocess.run(["pkg-config", "--libs", "libcurl", "libuv", "openssl"], check=True, capture_output=True, text=True).stdout.split()
        libs = [str(archive), *below, "-lm", "-pthread"]
    subprocess.run([compiler, *flags, str(source), "-o", str(program), *pkg_config(prefix, "--cflags"), *libs], check=True)
    return execute(prefix, program)


def execute(prefix, program, *args):
    """Runs it with a standard input that stays open: the example ends its run when that ends."""
    (shared,) = prefix[0].rglob("libfairforge.so")
    read, write = os.pipe()
    try:
        return subprocess.run([str(program), *map(str, args)], env={**os.environ, "LD_LIBRARY_PATH": str(shared.parent)}, stdin=read, capture_output=True,
                              text=True, check=False, timeout=60)
    finally:
        os.close(read)
        os.close(write)


PROGRAM = """
#include <fairforge/fairforge.h>
#include <stdio.h>
int main(void)
{
	struct ff_engine_options options = FF_INIT(%s);
	struct ff_engine *engine = 0;
	if (ff_engine_new(&options, &engine, 0))
		return 1;
	printf("%%s\\n", ff_version());
	ff_engine_free(engine);
	return 0;
}
"""


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("compiler, standard, suffix, name", [("cc", "c99", ".c", "struct ff_engine_options"), ("c++", "c++17", ".cpp", "ff_engine_options")])
def test_header_is_clean_and_links(prefix, tmp_path, compiler, standard, suffix, name, static):
    source = tmp_path / ("program" + suffix)
    source.write_text(PROGRAM % name)
    result = compile_c(prefix, tmp_path, source, "-std=" + standard, "-Wall", "-Wextra", "-pedantic", "-Werror", compiler=compiler, static=static)
    assert result.returncode == 0 and result.stdout.startswith("0."), result


def test_embed_example_builds_and_runs(prefix, tmp_path):
    """examples/embed.c without arguments explains itself; with a payload it runs it inside its own poll loop."""
    source = ROOT / "examples" / "embed.c"
    result = compile_c(prefix, tmp_path, source, "-std=c11", "-Wall", "-Wextra", "-Werror", "-D_POSIX_C_SOURCE=200809L")
    assert result.returncode == 64 and "usage" in result.stderr, result
    simulator = subprocess.Popen([str(BUILD / "fairforge"), "mock", "--port", "0"], stdout=subprocess.PIPE)
    try:
        url = simulator.stdout.readline().decode().split()[-1]
        request = json.loads((ROOT / "examples" / "payload.json").read_text(encoding="utf-8"))
        request["connector"] = {"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": "k-0123456789", "base_url": url + "/v1"}}
        (tmp_path / "payload.json").write_text(json.dumps(request))
        result = execute(prefix, tmp_path / "program", tmp_path / "payload.json")
        assert result.returncode == 0 and ": ok in " in result.stdout, result
    finally:
        simulator.terminate()
        simulator.wait(60)
        simulator.stdout.close()


def library_path(prefix):
    (shared,) = (p for p in prefix[0].rglob("libfairforge.so"))
    return {**os.environ, "LD_LIBRARY_PATH": str(shared.parent)}


def test_custom_runner_example_builds_and_runs(prefix, tmp_path):
    """examples/custom_runner.c: the document's MyCustomRunner in C: arguments, answers, failures, summaries."""
    data = {"session_id": "s1", "assistant_id": "a", "context": "", "conversation": [
        {"qa_id": "q1", "query": "Hello?", "assistant": "", "ground_truth_assistant": "x"}, {"qa_id": "q2", "query": "", "assistant": "", "ground_truth_assistant": "x"}]}
    (tmp_path / "tests.json").write_text(json.dumps(data))
    result = compile_c(prefix, tmp_path, ROOT / "examples" / "custom_runner.c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-D_POSIX_C_SOURCE=200809L")
    assert result.returncode == 64 and "usage" in result.stderr, result
    command = [str(tmp_path / "program"), str(tmp_path / "tests.json")]
    result = subprocess.run(command, env={**library_path(prefix), "MY_API_KEY": "k-0123456789"}, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1, result
    response = json.loads(result.stdout)
    assert [b["assistant"] for b in response["datasets"][0]["conversation"]] == ['https://api.example.com answers "Hello?" of s1', "[ERROR] The query is empty."]
    assert (response["summaries"][0]["successes"], response["summaries"][0]["failures"]) == (1, 1)
    env = {k: v for k, v in library_path(prefix).items() if k != "MY_API_KEY"}
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 64 and "MY_API_KEY is not set" in result.stderr, result


@pytest.mark.parametrize("compiler, standard, suffix", [("cc", "c99", ".c"), ("c++", "c++17", ".cpp")])
def test_plugin_needs_the_header_alone(prefix, tmp_path, compiler, standard, suffix):
    """examples/plugin.c as a module, and a plugin in C++, run by the installed tool: neither links anything of fairforge."""
    source = tmp_path / ("mine" + suffix)
    source.write_text(PLUGIN)
    (tool,) = (p for p in prefix[0].rglob("bin/fairforge"))
    flags = [*pkg_config(prefix, "--cflags"), "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run([compiler, "-std=" + standard, "-pedantic", str(source), *flags, "-o", str(tmp_path / "mine.so")], check=True)
    subprocess.run(["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", str(ROOT / "examples" / "plugin.c"), *flags, "-o", str(tmp_path / "example.so")], check=True)
    data = json.dumps({"session_id": "s", "assistant_id": "a", "context": "", "conversation": [{"qa_id": "q", "query": "you", "assistant": "", "ground_truth_assistant": "x"}]})
    for library, args, answer in (("mine.so", [], "you, too"), ("example.so", ["--runner-arg", "greeting=Hello"], "Hello, you")):
        result = subprocess.run([str(tool), "run", "--plugin", str(tmp_path / library), *args, "--dataset", "-"], input=data, env=library_path(prefix), capture_output=True,
                                text=True, check=False, timeout=60)
        assert result.returncode == 0 and json.loads(result.stdout)["datasets"][0]["conversation"][0]["assistant"] == answer, result


PLUGIN = """
#include <fairforge/fairforge.h>
#include <stdio.h>
static void run_batch(void *state, const struct ff_batch *batch, struct ff_completion done)
{
	char text[100];
	(void)state;
	snprintf(text, sizeof(text), "%s, too", batch->query.ptr);
	ff_complete_text(done, text);
}
#ifdef __cplusplus
extern "C"
#else
extern
#endif
__attribute__((visibility("default"))) const struct ff_runner_type fairforge_plugin;
const struct ff_runner_type fairforge_plugin = { sizeof(struct ff_runner_type), FF_RUNNER_ABI, 0, "mine", 0, 0, 0, run_batch, 0, 0, 0 };
"""


def test_the_python_adapter_is_installed(prefix):
    """All of it, where the installed executable looks."""
    (entry,) = prefix[0].rglob("fairforge/python/fairforge_worker/__main__.py")
    assert {p.name for p in entry.parent.glob("*.py")} == {p.name for p in (ROOT / "python" / "fairforge_worker").glob("*.py")}
    (binary,) = (p for p in prefix[0].rglob("bin/fairforge"))
    document = [{"session_id": "s", "assistant_id": "a", "language": "english", "context": "", "conversation": [
        {"qa_id": "q", "query": "hi", "assistant": "", "ground_truth_assistant": ""}]}]
    process = subprocess.run([str(binary), "run", "--dataset", "-", "--python-runner", "my_module:MyCustomRunner", "--runner-arg", "endpoint=E", "--runner-arg", "api_key=k"],
                             input=json.dumps(document), cwd=ROOT / "tests" / "python" / "runners", capture_output=True, text=True, check=False)
    assert process.returncode == 0 and "E tells s: hi" in process.stdout, process
