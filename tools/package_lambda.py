#!/usr/bin/env python3
"""Makes the zip of the AWS Lambda function: bootstrap (0755) and lib/ with the libraries that provided.al2023 lacks, which is all but glibc's own.

Usage: tools/package_lambda.py BOOTSTRAP ZIP [--ca FILE]
  --ca FILE   adds FILE as ca-certificates.crt (then set SSL_CERT_FILE=/var/task/ca-certificates.crt), for a private certificate authority

No shell starts anything: bootstrap is the executable, and finds lib/ by its DT_RPATH $ORIGIN/lib. What would fail there fails here, with a sentence: a symbol of
a newer glibc than 2.34, a library that looks elsewhere, one that is missing, a start with an empty environment that does not work, a zip above 8 MB.
The same files make the same zip, byte by byte. Needs binutils.
"""
import argparse
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

GLIBC_OF_AL2023 = (2, 34)
MAX_ZIP_BYTES = 8_000_000
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
# What the package libc6 brings, and every glibc system has.
GLIBC = ("ld-linux*.so.*", "libc.so.*", "libm.so.*", "libmvec.so.*", "libdl.so.*", "libpthread.so.*", "librt.so.*", "libresolv.so.*", "libutil.so.*",
         "libanl.so.*", "libnss_*.so.*", "libBrokenLocale.so.*", "libthread_db.so.*", "linux-vdso.so.*")
FORBIDDEN = ("libsqlite3*", "libmicrohttpd*", "lib*san.so*")


class Problem(Exception):
    """Why there is no package: one sentence."""


def run(*command, env=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise Problem("`%s` failed: %s" % (" ".join(map(str, command)), (done.stderr or done.stdout).strip()))
    return done.stdout


def is_glibc(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in GLIBC)


def loaded(binary, env=None):
    """{name: path} of every shared library that the loader takes for `binary`; path is None for what it does not find."""
    found = {}
    for line in run("ldd", binary, env=env).splitlines():
        match = re.match(r"\s*(\S+) => (not found|\S+)", line)
        if match:
            found[pathlib.PurePath(match.group(1)).name] = None if match.group(2) == "not found" else match.group(2)
    return found


def dynamic(path):
    """The dynamic section: {"NEEDED": [...], "RPATH": [...], "RUNPATH": [...]}."""
    tags = {"NEEDED": [], "RPATH": [], "RUNPATH": []}
    for tag, value in re.findall(r"\((NEEDED|RPATH|RUNPATH)\).*\[(.*)\]", run("readelf", "-dW", path)):
        tags[tag].append(value)
    return tags


def glibc_needed(path):
    """{version: [symbols]} of glibc that the file refers to."""
    versions = {}
    for line in run("objdump", "-T", path).splitlines():
        match = re.search(r"\*UND\*.*\(?GLIBC_(\d+(?:\.\d+)+)\)?\s+(\S+)$", line)
        if match:
            versions.setdefault(tuple(map(int, match.group(1).split("."))), []).append(match.group(2))
    return versions


# ---- the folder ----

def gather(bootstrap, folder):
    """Copies bootstrap and its libraries, without debugging symbols."""
    if bootstrap.read_bytes()[:4] != b"\x7fELF":
        raise Problem("%s is no executable of this kind of system: a script would need a shell." % bootstrap)
    (folder / "lib").mkdir()
    copy_stripped(bootstrap, folder / "bootstrap", 0o755)
    for name, path in sorted(loaded(bootstrap).items()):
        if is_glibc(name):
            continue
        if path is None:
            raise Problem("%s needs %s, which is not installed." % (bootstrap, name))
        if any(fnmatch.fnmatch(name, pattern) for pattern in FORBIDDEN):
            raise Problem("%s links %s, which has no place in a function: make a release build." % (bootstrap, name))
        copy_stripped(pathlib.Path(path).resolve(), folder / "lib" / name, 0o644)


def copy_stripped(source, target, mode):
    run("strip", "--strip-unneeded", "-o", target, source)
    target.chmod(mode)


# ---- what would fail on AWS ----

def check_paths(folder, files):
    tags = dynamic(folder / "bootstrap")
    if tags["RPATH"] != ["$ORIGIN/lib"] or tags["RUNPATH"]:
        raise Problem("bootstrap must have DT_RPATH $ORIGIN/lib and no DT_RUNPATH, but has %s and %s." % (tags["RPATH"], tags["RUNPATH"]))
    for path in files:
        if path.parent.name == "lib" and (dynamic(path)["RPATH"] or dynamic(path)["RUNPATH"]):
            raise Problem("lib/%s has a search path of its own, so bootstrap's does not count for what it needs." % path.name)
        for name in dynamic(path)["NEEDED"]:
            if not is_glibc(name) and not (folder / "lib" / name).is_file():
                raise Problem("%s needs %s, which is not in the package." % (path.name, name))


def check_glibc(files):
    """The highest version that any file needs."""
    highest = (0,)
    for path in files:
        if "GLIBC_ABI_DT_RELR" in run("readelf", "-VW", path):
            raise Problem("%s is linked with packed relocations, which glibc knows since 2.36: link without -z pack-relative-relocs." % path.name)
        for version, symbols in glibc_needed(path).items():
            highest = max(highest, version)
            if version > GLIBC_OF_AL2023:
                raise Problem("%s needs GLIBC_%s (%s), but provided.al2023 has %s: build on an older system."
                              % (path.name, ".".join(map(str, version)), ", ".join(sorted(symbols)[:5]), ".".join(map(str, GLIBC_OF_AL2023))))
    return ".".join(map(str, highest))


def check_start(zip_path):
    """Unpacked elsewhere, without environment: everything comes out of lib/, and it starts."""
    with tempfile.TemporaryDirectory() as elsewhere:
        with zipfile.ZipFile(zip_path) as z:
            for info in z.infolist():
                os.chmod(z.extract(info, elsewhere), info.external_attr >> 16 & 0o777)
        bootstrap = pathlib.Path(elsewhere) / "bootstrap"
        for name, path in loaded(bootstrap, env={"PATH": os.environ["PATH"]}).items():
            if not is_glibc(name) and (path is None or pathlib.Path(path).resolve().parent != (pathlib.Path(elsewhere) / "lib").resolve()):
                raise Problem("unpacked, %s comes from %s instead of lib/." % (name, path))
        run(bootstrap, "--version", env={})


# ---- the zip ----

def write_zip(folder, zip_path):
    """Names in order, one date, modes kept: the same bytes every time."""
    with zipfile.ZipFile(zip_path, "w") as z:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            info.create_system = 3  # Unix: external_attr holds the mode
            info.external_attr = (0o100000 | path.stat().st_mode & 0o777) << 16
            z.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    if zip_path.stat().st_size > MAX_ZIP_BYTES:
        raise Problem("%s has %d bytes, more than %d." % (zip_path, zip_path.stat().st_size, MAX_ZIP_BYTES))


def package(bootstrap, zip_path, ca):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        gather(bootstrap, folder)
        files = [folder / "bootstrap", *sorted((folder / "lib").iterdir())]
        check_paths(folder, files)
        glibc = check_glibc(files)
        if ca:
            shutil.copyfile(ca, folder / "ca-certificates.crt")
            (folder / "ca-certificates.crt").chmod(0o644)
        draft = folder.with_suffix(".zip")
        try:
            write_zip(folder, draft)
            check_start(draft)
            shutil.move(draft, zip_path)
        finally:
            draft.unlink(missing_ok=True)
    data = zip_path.read_bytes()
    print("%s: %d bytes, bootstrap and %d libraries, needs glibc %s\nsha256 %s" % (zip_path, len(data), len(files) - 1, glibc, hashlib.sha256(data).hexdigest()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap", type=pathlib.Path)
    parser.add_argument("zip", type=pathlib.Path)
    parser.add_argument("--ca", type=pathlib.Path)
    args = parser.parse_args()
    try:
        package(args.bootstrap, args.zip, args.ca)
    except (Problem, OSError) as e:
        sys.exit("package_lambda: %s" % e)


if __name__ == "__main__":
    main()
