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
