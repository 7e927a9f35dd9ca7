"""moto_server as a stand-in for AWS, with its authentication on (of S3 and IAM; it computes that of Lambda otherwise than AWS does) or off."""

import json
import os
import pathlib
import re
import subprocess
import sys

import boto3
from botocore.config import Config

REGION = "eu-west-1"


class Moto:
    """moto_server on a free port. With authentication its first three requests need no signature: they make a user and its key; from then on all do."""

    def __init__(self, folder, authentication=True):
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **({"INITIAL_NO_AUTH_ACTION_COUNT": "3"} if authentication else {})}
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
