"""Results that go to S3, against moto_server with its authentication on: it computes every signature again, as AWS does, and knows users and policies."""

import json
import os
import pathlib
import re
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config
from conftest import BINARY

PROBE = pathlib.Path(BINARY).resolve().parent / "tests" / "unit" / "front" / "store_probe"
REGION = "eu-west-1"
ANSWER = json.dumps({"datasets": [], "text": "日本"}, ensure_ascii=False).encode()


class Moto:
    """moto_server on a free port. Its first three requests need no signature: they make a user and its key; from then on all do."""

    def __init__(self, folder):
        environment = {"PATH": os.environ["PATH"], "INITIAL_NO_AUTH_ACTION_COUNT": "3", "PYTHONUNBUFFERED": "1"}
        self.log = folder / "moto.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", "0"], stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        self.url = self._url()

    def _url(self):
        """Its address, from the line with which it says that it listens."""
        for _ in range(3000):
            match = re.search(r"http://127\.0\.0\.1:[1-9]\d*", self.log.read_text(encoding="utf-8"))
            if match:
                return match.group(0)
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError("moto_server did not start: " + self.log.read_text(encoding="utf-8"))

    def client(self, service, key=("any", "any")):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key[0], aws_secret_access_key=key[1], config=Config(retries={"max_attempts": 1})
        )

    def user(self, name, *statements):
        """Three requests: a user, its key, its policy."""
        iam = self.client("iam") if not hasattr(self, "admin") else self.client("iam", self.admin)
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return key["AccessKeyId"], key["SecretAccessKey"]


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
