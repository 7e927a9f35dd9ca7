"""The zip of `./dev package-lambda`: what is in it, and that it starts where nothing of this system can help it."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from conftest import BUILD, LIMIT_S, ROOT

TOOL = ROOT / "tools" / "package_lambda.py"
BOOTSTRAP = BUILD / "bootstrap"
SANITIZED = "san.so" in subprocess.run(["readelf", "-d", str(BOOTSTRAP)], capture_output=True, text=True, check=True).stdout


def package(bootstrap, target, *flags):
    return subprocess.run([sys.executable, str(TOOL), str(bootstrap), str(target), *map(str, flags)], capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if SANITIZED:
        pytest.skip("a function needs a release build")
    target = tmp_path_factory.mktemp("package") / "function.zip"
    done = package(BOOTSTRAP, target)
    assert done.returncode == 0, done.stderr
    return target, done.stdout


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(archive[0]) as z:
        for info in z.infolist():
            os.chmod(z.extract(info, folder), info.external_attr >> 16 & 0o777)
    return folder


def test_content(archive):
    target, said = archive
    with zipfile.ZipFile(target) as z:
        modes = {i.filename: i.external_attr >> 16 for i in z.infolist()}
        dates = {i.date_time for i in z.infolist()}
        magic = {z.read(i)[:4] for i in z.infolist()}
    assert modes["bootstrap"] == 0o100755
    assert all(re.fullmatch(r"bootstrap|lib/lib[\w.+-]+\.so[.\d]*", name) for name in modes), sorted(modes)
    assert list(modes) == sorted(modes) and dates == {(1980, 1, 1, 0, 0, 0)} and magic == {b"\x7fELF"}
    assert {"lib/libcurl.so.4", "lib/libuv.so.1", "lib/libcrypto.so.3"} <= set(modes)
    assert not [n for n in modes if re.search(r"/(libc|libm|libpthread|libresolv|ld-linux-[-\w]+|libsqlite3|libmicrohttpd)\.so", n)]
    assert target.stat().st_size <= 8_000_000
    assert re.search(r"needs glibc 2\.(\d+)", said) and int(re.search(r"needs glibc 2\.(\d+)", said).group(1)) <= 34, said


def test_same_bytes(archive, tmp_path):
    again = tmp_path / "again.zip"
    assert package(BOOTSTRAP, again).returncode == 0
    assert again.read_bytes() == archive[0].read_bytes()


@pytest.mark.parametrize("paths", ["", "/lib64:/usr/lib64:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"], ids=["empty", "lambda"])
def test_libraries_come_from_the_package(unpacked, paths):
    """Also with LD_LIBRARY_PATH, which AWS Lambda sets to its own folders."""
    environment = {"PATH": os.environ["PATH"], **({"LD_LIBRARY_PATH": paths} if paths else {})}
    listed = subprocess.run(["ldd", str(unpacked / "bootstrap")], capture_output=True, text=True, env=environment, check=True).stdout
    taken = {pathlib.PurePath(name).name: path for name, path in re.findall(r"(\S+) => (\S+)", listed)}
    shipped = {p.name for p in (unpacked / "lib").iterdir()}
    assert "not found" not in listed and shipped <= set(taken)
    for name in shipped:
        assert pathlib.Path(taken[name]).resolve() == (unpacked / "lib" / name).resolve(), listed


def test_starts_without_environment(unpacked):
    done = subprocess.run([str(unpacked / "bootstrap"), "--version"], capture_output=True, text=True, env={}, cwd="/", timeout=LIMIT_S, check=False)
    assert done.returncode == 0 and "libcurl" in done.stdout and not done.stderr, done
    done = subprocess.run([str(unpacked / "bootstrap")], capture_output=True, text=True, env={}, cwd="/", timeout=LIMIT_S, check=False)
    assert done.returncode == 64 and "AWS_LAMBDA_RUNTIME_API" in done.stderr, done


def test_certificates(archive, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_text("a certificate")
    target = tmp_path / "with.zip"
    assert package(BOOTSTRAP, target, "--ca", ca).returncode == 0
    with zipfile.ZipFile(target) as z:
        assert z.read("ca-certificates.crt") == b"a certificate" and z.getinfo("ca-certificates.crt").external_attr >> 16 == 0o100644


def test_refused(tmp_path):
    target = tmp_path / "no.zip"
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    done = package(script, target)
    assert done.returncode == 1 and "would need a shell" in done.stderr, done
    done = package(BUILD / "fairforge", target)
    assert done.returncode == 1 and re.search("libmicrohttpd|san.so", done.stderr), done
    assert "no place in a function" in done.stderr and not target.exists()


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
@pytest.mark.parametrize("link, words", [([], "must have DT_RPATH"), (["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/lib"], "must have DT_RPATH")],
                         ids=["none", "runpath"])
def test_search_path_is_checked(tmp_path, link, words):
    (tmp_path / "m.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-o", "m", "m.c", *link], cwd=tmp_path, check=True)
    done = package(tmp_path / "m", tmp_path / "no.zip")
    assert done.returncode == 1 and words in done.stderr, done


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
def test_newer_glibc_is_noticed(tmp_path):
    """A symbol of a later glibc is refused, by its name."""
    (tmp_path / "m.c").write_text("int stranger(void);\nint main(void) { return stranger(); }\n")
    (tmp_path / "s.c").write_text("int stranger(void) { return 0; }\n")
    (tmp_path / "s.map").write_text("GLIBC_2.99 { stranger; };\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "libstranger.so", "s.c", "-Wl,--version-script,s.map", "-Wl,-soname,libstranger.so"], cwd=tmp_path, check=True)
    subprocess.run(["cc", "-o", "m", "m.c", "-L.", "-lstranger", "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/lib"], cwd=tmp_path, check=True)
    (tmp_path / "lib").mkdir()
    (tmp_path / "libstranger.so").rename(tmp_path / "lib" / "libstranger.so")
    done = package(tmp_path / "m", tmp_path / "no.zip")
    assert done.returncode == 1 and "m needs GLIBC_2.99 (stranger), but provided.al2023 has 2.34" in done.stderr.replace("bootstrap needs", "m needs"), done
