"""The scripts of deploy/lambda, with an `aws` that writes down how it was called. tests/clients/test_deploy.py lets the real one deploy to moto."""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import LIMIT_S, ROOT

FOLDER = ROOT / "deploy" / "lambda"
SCRIPTS = ["deploy.sh", "update.sh", "cleanup.sh"]
FAKE = """#!/bin/sh
{ for word in "$@"; do printf '%s\\0' "$word"; done; printf '\\n%s\\n' "$AWS_REGION"; } >>"$CALLS"
case "$*" in *"${FAIL_AT:-nothing at all}"*) exit 3 ;; esac
case "$*" in *ParameterKey*) echo "${OLD_BUCKET:-None}" ;; esac
"""


@pytest.fixture
def call(tmp_path):
    """call(script, *args, NAME="value"): (status, stdout, stderr, what aws was asked as lists of words)."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "aws"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    (tmp_path / "fairforge-lambda-x86_64.zip").write_bytes(b"a zip")

    def run(script, *args, **env):
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        done = subprocess.run([str(FOLDER / script), *args], capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=tmp_path,
                              env={"PATH": "%s:%s" % (tmp_path / "bin", os.environ["PATH"]), "CALLS": str(calls), **env})
        lines = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode, done.stdout, done.stderr, [line.split("\0")[:-1] for line in lines[::2]]

    return run


ZIP = "fairforge-lambda-x86_64.zip"
KEY = "fairforge-lambda/fairforge/%s.zip" % hashlib.sha256(b"a zip").hexdigest()
UPLOAD = ["s3", "cp", ZIP, "s3://code/" + KEY, "--only-show-errors"]


def deployed(calls):
    """The parameters of the one deployment among the calls."""
    (words,) = [c for c in calls if c[:2] == ["cloudformation", "deploy"]]
    assert words[2:] [:2] == ["--stack-name", "fairforge"] and "CAPABILITY_IAM" in words
    assert words[words.index("--template-file") + 1].endswith("deploy/lambda/template.yaml")
    return words[words.index("--parameter-overrides") + 1:]


def test_deploy(call):
    status, _, err, calls = call("deploy.sh", "--bucket", "code", "--zip", ZIP, "Access=None", 'Connector={"class_path": "it\'s $HOME"}')
    assert status == 0, err
    assert calls[0] == UPLOAD
    assert deployed(calls) == ["CodeBucket=code", "CodeKey=" + KEY, "Architecture=x86_64", "Access=None", 'Connector={"class_path": "it\'s $HOME"}']
    assert calls[2][:2] == ["cloudformation", "describe-stacks"] and len(calls) == 3


def test_update_changes_the_code_alone(call):
    status, _, err, calls = call("update.sh", "--zip", ZIP, OLD_BUCKET="code")
    assert status == 0, err
    assert calls[1] == UPLOAD and deployed(calls) == ["CodeBucket=code", "CodeKey=" + KEY]


def test_cleanup(call):
    status, _, err, calls = call("cleanup.sh", "--yes", OLD_BUCKET="code")
    assert status == 0, err
    assert [c[:2] for c in calls[1:]] == [["cloudformation", "delete-stack"], ["cloudformation", "wait"], ["s3", "rm"]]
    assert calls[3][2:] == ["s3://code/fairforge-lambda/fairforge/", "--recursive", "--only-show-errors"]


@pytest.mark.parametrize("script, args", [("deploy.sh", ["--bucket", "code", "--zip", ZIP, "Connector={\"a\": \"it's\"}", "Access=None"]),
                                          ("update.sh", ["--bucket", "code", "--zip", ZIP]), ("cleanup.sh", ["--bucket", "code"])], ids=SCRIPTS)
def test_dry_run_prints_what_would_run(call, script, args):
    """Word by word what a real run asks; nothing is asked."""
    status, out, err, calls = call(script, "--dry-run", *args)
    assert (status, err, calls) == (0, "", []), (out, err)
    real = call(script, *args, *(["--yes"] if script == "cleanup.sh" else []))[3] if script != "deploy.sh" else call(script, *args)[3]
    assert [shlex.split(line)[1:] for line in out.splitlines()] == real


def test_region(call, tmp_path):
    assert call("update.sh", "--bucket", "code", "--zip", ZIP, "--region", "eu-north-1")[0] == 0
    assert set((tmp_path / "calls").read_text().splitlines()[1::2]) == {"eu-north-1"}


@pytest.mark.parametrize("script, args, env, words, status", [
    ("deploy.sh", ["--zip", ZIP], {}, "--bucket is missing", 64),
    ("deploy.sh", ["--bucket"], {}, "--bucket needs a value", 64),
    ("deploy.sh", ["--bucket", ""], {}, "--bucket needs a value", 64),
    ("deploy.sh", ["--bucket", "code", "--frob"], {}, "no flag --frob", 64),
    ("deploy.sh", ["--bucket", "code", "access=None"], {}, "no PARAMETER=VALUE", 64),
    ("deploy.sh", ["Access=None", "--bucket", "code"], {}, "flags come before parameters", 64),
    ("deploy.sh", ["--bucket", "code", "CodeKey=x"], {}, "is set by --bucket and --zip", 64),
    ("deploy.sh", ["--bucket", "code", "--stack", "a;b", "--zip", ZIP], {}, "letters, digits and hyphens", 64),
    ("deploy.sh", ["--bucket", "code", "--zip", "absent.zip"], {}, "./dev package-lambda", 1),
    ("update.sh", ["--zip", ZIP], {}, "there is no stack fairforge here", 1),
    ("update.sh", ["Access=None"], {}, "there is no Access=None", 64),
    ("cleanup.sh", [], {"OLD_BUCKET": "code"}, "say --yes", 64),
    ("cleanup.sh", ["--yes"], {}, "there is no stack fairforge here", 1),
    ("cleanup.sh", ["--yes", "--zip", ZIP], {}, "--zip means nothing here", 64),
])
def test_refused(call, script, args, env, words, status):
    """One sentence, and nothing is changed."""
    got, out, err, calls = call(script, *args, **env)
    assert got == status and words in err and err.count("\n") == 1 and out == "", (got, out, err)
    assert all("ParameterKey" in " ".join(c) for c in calls), calls


@pytest.mark.parametrize("script, fail, done", [("deploy.sh", "s3 cp", 1), ("deploy.sh", "cloudformation deploy", 2), ("cleanup.sh", "delete-stack", 1),
                                                ("cleanup.sh", "stack-delete-complete", 2)])
def test_stops_where_something_fails(call, script, fail, done):
    args = ["--bucket", "code"] + (["--zip", ZIP] if script == "deploy.sh" else ["--yes"])
    status, _, _, calls = call(script, *args, FAIL_AT=fail)
    assert status == 3 and len(calls) == done, calls


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(call, script):
    status, out, err, calls = call(script, "--help")
    assert status == 0 and out.startswith("Usage: " + script) and "Example: " in out and len(out.splitlines()) <= 24 and not calls and err == ""
    for flag in re.findall(r"^  (--[a-z-]+)", out, re.M):
        assert flag.lstrip("-").split("-")[0] in (FOLDER / "common.sh").read_text(), flag


def test_without_aws(call, tmp_path):
    (tmp_path / "bin" / "aws").unlink()
    keep = tmp_path / "keep"
    keep.mkdir()
    for tool in ("sh", "dirname", "uname", "sha256sum"):
        (keep / tool).symlink_to(shutil.which(tool))
    status, _, err, _ = call("update.sh", "--bucket", "code", "--zip", ZIP, PATH=str(keep))
    assert status == 1 and "(aws) is not installed" in err


def test_template_and_documentation_agree():
    """Every parameter of the template stands in the documentation, and only those."""
    template = (FOLDER / "template.yaml").read_text()
    parameters = set(re.findall(r"^  (\w+):\n    Type: (?:String|Number|CommaDelimitedList)$", template, re.M))
    named = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "lambda.md").read_text().split("## Deployment")[1].split("\n## ")[0], re.M))
    assert parameters - {"CodeBucket", "CodeKey", "Architecture"} == named, parameters ^ named


def test_documentation_names_every_variable():
    text = (ROOT / "docs" / "lambda.md").read_text()
    (names,) = re.findall(r"own_names\[\] = \{(.*?)\};", (ROOT / "src/front/lambda/config.c").read_text(), re.S)
    for name in re.findall(r'"(FAIRFORGE_\w+)"', names):
        assert re.search(r"^\| `%s`" % name, text, re.M), name
    for block in re.findall(r"^```json\n(.*?)^```$", text, re.S | re.M):
        json.loads(block)


def test_image():
    """The Dockerfile names no host, and copies what exists."""
    text = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE", text, re.M) and re.search(r"^FROM \$\{BASE\}", text, re.M)
    assert not re.search(r"^(FROM|ARG)\s+\S*\.\S+/", text, re.M)
    for path in re.findall(r"(?:python3 |sh )(tools/\S+)", text):
        assert (ROOT / path).is_file(), path
