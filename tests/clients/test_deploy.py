"""deploy/lambda on moto, by AWS's own command line interface: what the scripts make, change and remove."""

import ast
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT
from moto_kit import REGION, Moto

FOLDER = ROOT / "deploy" / "lambda"
TOOLS = pathlib.Path(sys.executable).parent


def test_template_is_valid():
    """cfn-lint knows every property of every resource."""
    done = subprocess.run([str(TOOLS / "cfn-lint"), "--regions", "eu-west-1", "us-east-1", "--template", str(FOLDER / "template.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    one = Moto(tmp_path_factory.mktemp("moto"), authentication=False)
    try:
        one.admin = one.user("admin", {"Effect": "Allow", "Action": "*", "Resource": "*"})
        one.s3 = one.client("s3", one.admin)
        for name in ("my-code", "my-results"):
            one.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        one.queue = one.client("sqs", one.admin).create_queue(QueueName="runs", Attributes={"VisibilityTimeout": "1800"})["QueueUrl"]
        yield one
    finally:
        one.process.terminate()
        one.process.wait(20)


@pytest.fixture
def call(moto, tmp_path):
    """call(script, *args) in an environment that knows the key of moto's administrator and nothing else."""

    def run(script, *args):
        environment = {"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": moto.url, "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": moto.admin[0], "AWS_SECRET_ACCESS_KEY": moto.admin[1]}
        return subprocess.run([str(FOLDER / script), *args], env=environment, capture_output=True, text=True, timeout=300, check=False)

    return run


def package(folder, content):
    path = folder / "fairforge-lambda-x86_64.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("bootstrap", content)
    return path


def function(moto, name):
    found = moto.client("lambda", moto.admin).get_function(FunctionName=name)
    return found["Configuration"], found["Configuration"]["Environment"]["Variables"]


def digest(path):
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def statements(moto, role):
    """Every permission of the role as (actions, resource)."""
    iam = moto.client("iam", moto.admin)
    name = role.rsplit("/", 1)[-1]
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"], "no policy of somebody else's"
    found = [iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"] for p in iam.list_role_policies(RoleName=name)["PolicyNames"]]
    found = [ast.literal_eval(d) if isinstance(d, str) else d for d in found]  # moto keeps those of AWS::IAM::Policy as Python writes them
    return sorted((s["Action"], s["Resource"]) if isinstance(s["Action"], str) else (",".join(s["Action"]), s["Resource"]) for d in found for s in d["Statement"])


def test_life_of_a_function(moto, call, tmp_path):
    """With a queue and results; moto cannot update a stack in which they are left out."""
    old = package(tmp_path, "one")
    queue = moto.client("sqs", moto.admin).get_queue_attributes(QueueUrl=moto.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    done = call("deploy.sh", "--bucket", "my-code", "--stack", "life", "--zip", str(old), "Timeout=60", "ResultBucket=my-results", "ResultPrefix=a/b", f"QueueArn={queue}", 'Connector={"class_path": "langchain_groq.chat_models.ChatGroq"}')
    assert done.returncode == 0, done
    made, variables = function(moto, "life")
    assert (made["Runtime"], made["Handler"], made["Timeout"], made["Architectures"]) == ("provided.al2023", "bootstrap", 60, ["x86_64"])
    assert made["CodeSha256"] == digest(old)
    assert variables["FAIRFORGE_RESULT_URI"] == "s3://my-results/a/b" and json.loads(variables["FAIRFORGE_CONNECTOR"])["class_path"].endswith("ChatGroq")
    assert "LLM_API_KEY" not in variables or variables["LLM_API_KEY"] is None
    account = made["FunctionArn"].split(":")[4]
    permitted = [(actions, resource.removesuffix(":*")) for actions, resource in statements(moto, made["Role"])]  # moto's ARN of a log group has no :*
    assert permitted == [
        ("logs:CreateLogStream,logs:PutLogEvents", f"arn:aws:logs:{REGION}:{account}:log-group:/aws/lambda/life"),
        ("s3:PutObject", "arn:aws:s3:::my-results/a/b/*"),
        ("sqs:ReceiveMessage,sqs:DeleteMessage,sqs:GetQueueAttributes", queue),
    ], "least privilege: its log, one prefix, one queue"
    (source,) = moto.client("lambda", moto.admin).list_event_source_mappings()["EventSourceMappings"]
    assert source["EventSourceArn"] == queue and source["BatchSize"] == 10

    new = package(tmp_path, "two")
    done = call("update.sh", "--stack", "life", "--zip", str(new))
    assert done.returncode == 0, done
    made, variables = function(moto, "life")
    assert made["CodeSha256"] == digest(new)
    assert made["Timeout"] == 60 and variables["FAIRFORGE_RESULT_URI"] == "s3://my-results/a/b", "the rest stays"

    moto.s3.put_object(Bucket="my-results", Key="a/b/1.json", Body=b"{}")
    moto.s3.put_object(Bucket="my-code", Key="fairforge-lambda/other/1.zip", Body=b"of another stack")
    done = call("cleanup.sh", "--stack", "life", "--yes")
    assert done.returncode == 0, done
    assert not [f for f in moto.client("lambda", moto.admin).list_functions()["Functions"] if f["FunctionName"] == "life"]
    assert [o["Key"] for o in moto.s3.list_objects_v2(Bucket="my-code")["Contents"]] == ["fairforge-lambda/other/1.zip"]
    assert [o["Key"] for o in moto.s3.list_objects_v2(Bucket="my-results")["Contents"]] == ["a/b/1.json"], "results stay"
    assert call("update.sh", "--stack", "life", "--zip", str(new)).returncode == 1
    assert call("cleanup.sh", "--stack", "life", "--yes").returncode == 1


def test_little_is_asked_for(moto, call, tmp_path):
    """Without results and queue the role may write its log, and nothing else."""
    done = call("deploy.sh", "--bucket", "my-code", "--stack", "little", "--zip", str(package(tmp_path, "l")), "Access=None", "DiscardResults=1")
    assert done.returncode == 0, done
    made, variables = function(moto, "little")
    assert variables["FAIRFORGE_DISCARD_RESULTS"] == "1" and not variables.get("FAIRFORGE_RESULT_URI")
    ((actions, _),) = statements(moto, made["Role"])
    assert actions == "logs:CreateLogStream,logs:PutLogEvents"
    assert call("cleanup.sh", "--stack", "little", "--yes").returncode == 0


def test_bad_deployment_is_told(call, tmp_path):
    done = call("deploy.sh", "--bucket", "no-such-bucket", "--stack", "bad", "--zip", str(package(tmp_path, "b")))
    assert done.returncode != 0 and "NoSuchBucket" in done.stderr + done.stdout, done
