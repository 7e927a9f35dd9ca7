"""Results that go to S3, against moto_server with its authentication on: it computes every signature again, as AWS does, and knows users and policies."""

import json
import os
import pathlib
import subprocess

import pytest
from conftest import BINARY
from moto_kit import REGION, Moto

PROBE = pathlib.Path(BINARY).resolve().parent / "tests" / "unit" / "front" / "store_probe"
ANSWER = json.dumps({"datasets": [], "text": "日本"}, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    one = Moto(tmp_path_factory.mktemp("moto"))
    try:
        one.admin = one.user("admin", {"Effect": "Allow", "Action": "*", "Resource": "*"})
        one.s3 = one.client("s3", one.admin)
        one.s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
        one.writer = one.user("writer", {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"})
        one.reader = one.user("reader", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
        yield one
    finally:
        one.process.terminate()
        one.process.wait(20)


def put(moto, key, uri="s3://results/runs", name="run-1", body=ANSWER, **more):
    environment = {"AWS_ENDPOINT_URL_S3": moto.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1], "FAIRFORGE_RESULT_URI": uri, **more}
    done = subprocess.run([str(PROBE), name, "30000"], input=body, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0 and not done.stderr, f"the probe must end well: {done}"
    code, text = done.stdout.decode().rstrip("\n").split(" ", 1)
    return int(code), text


def test_moto_refuses_a_wrong_key(moto):
    """The judge is awake: boto3 itself is refused with another secret."""
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        moto.client("s3", (moto.admin[0], "wrong")).list_objects_v2(Bucket="results")


@pytest.mark.parametrize("uri", ["s3://results/runs", "s3://results", "s3://results/with space/x.y_z-1"])
def test_stored(moto, uri):
    """Plain keys: moto itself refuses boto3's signature where a key must be encoded otherwise; tests/e2e/test_store.py has those."""
    assert put(moto, moto.writer, uri) == (0, uri + "/run-1.json")
    found = moto.s3.get_object(Bucket="results", Key=(uri + "/run-1.json").removeprefix("s3://results/"))
    assert found["Body"].read() == ANSWER and found["ContentType"] == "application/json"


def test_written_again(moto):
    """The same id, as when a queue delivers a message twice: the later result stands."""
    assert put(moto, moto.writer, name="twice", body=b"1")[0] == 0
    assert put(moto, moto.writer, name="twice", body=b"22")[0] == 0
    assert moto.s3.get_object(Bucket="results", Key="runs/twice.json")["Body"].read() == b"22"


def test_large(moto):
    body = os.urandom(7 << 20)
    assert put(moto, moto.writer, name="large", body=body)[0] == 0
    assert moto.s3.get_object(Bucket="results", Key="runs/large.json")["Body"].read() == body


@pytest.mark.parametrize(
    "who, words",
    [
        (lambda m: (m.writer[0], m.writer[1] + "x"), "SignatureDoesNotMatch"),
        (lambda m: ("AKIAUNKNOWN", m.writer[1]), "InvalidAccessKeyId"),
        (lambda m: m.reader, "AccessDenied"),
    ],
    ids=["secret", "unknown", "policy"],
)
def test_refused(moto, who, words):
    key = who(moto)
    code, text = put(moto, key, name="refused")
    assert code == -9 and "status 403 " + words in text, text
    assert key[1] not in text
    assert not [o for o in moto.s3.list_objects_v2(Bucket="results").get("Contents", []) if "refused" in o["Key"]]


def test_no_such_bucket(moto):
    code, text = put(moto, moto.admin, "s3://nowhere")
    assert code == -9 and "status 404 NoSuchBucket" in text, text
