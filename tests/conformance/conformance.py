"""What every conformance test stands on: a sandbox to talk to, and boto3 clients for it.

The sandbox is, in this order: the one that AWS_ENDPOINT_URL names; `orgseal sandbox` of the binary that ORGSEAL_BIN names;
the crate's example `serve`, built by cargo. botocore, which nobody here wrote, signs the requests and parses the answers by
its own service models; `shape` checks an answer against the model once more, member by member.
"""

import atexit
import functools
import json
import os
import pathlib
import subprocess
import time
import unittest
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = "EnableS3BucketEncryptionWithKMS"
PATIENCE_SECONDS = 60


def serve(spec=None):
    """Starts a sandbox, of the default spec or of a file's, and gives the variables it exports."""
    binary = os.environ.get("ORGSEAL_BIN")
    if binary:
        command = [binary, "sandbox", "--port", "0", "--speed", "50"]
        command += ["--spec", str(spec)] if spec else []
    else:
        command = ["cargo", "run", "-q", "-p", "orgseal-sandbox", "--example", "serve", "--", "--speed", "50"]
        command += [str(spec)] if spec else []
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    atexit.register(process.terminate)
    exports = {}
    for line in process.stdout:
        words = line.strip().removeprefix("export ").partition("=")
        if line.startswith("export ") and words[1]:
            exports[words[0]] = words[2].strip("'\"")
        if "AWS_ENDPOINT_URL" in exports and "AWS_EC2_METADATA_DISABLED" in exports:
            return exports
    raise RuntimeError(f"{command} ended without printing the export lines")


@functools.cache
def environment():
    if "AWS_ENDPOINT_URL" in os.environ:
        return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return serve()


@functools.cache
def state():
    """The control path's view. Buckets as they were when the suite began."""
    with urllib.request.urlopen(environment()["AWS_ENDPOINT_URL"] + "/_sandbox/state") as answer:
        return json.load(answer)


def control(path):
    with urllib.request.urlopen(f"{environment()['AWS_ENDPOINT_URL']}/_sandbox/{path}") as answer:
        return json.load(answer)


CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def client(service, region="us-east-1", credentials=None, config=CONFIG, names=None):
    names = names or environment()
    keys = credentials or {
        "AccessKeyId": names["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": names["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": names.get("AWS_SESSION_TOKEN"),
    }
    return boto3.session.Session().client(
        service,
        region_name=region,
        endpoint_url=names["AWS_ENDPOINT_URL"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=config,
    )


@functools.cache
def accounts():
    pages = client("organizations").get_paginator("list_accounts").paginate()
    return [account for page in pages for account in page["Accounts"]]


def member_role(account_id):
    return f"arn:aws:iam::{account_id}:role/orgseal-member"


def automation_role(account_id):
    return f"arn:aws:iam::{account_id}:role/orgseal-automation"


@functools.cache
def session(account_id):
    """Credentials of an account's administrator, for tests that are not about permissions."""
    management = {**state()["management_credentials"], "SessionToken": None}
    role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
    return client("sts", credentials=management).assume_role(RoleArn=role, RoleSessionName="conformance")["Credentials"]


@functools.cache
def member_session(account_id):
    """Credentials of the member role in an account, which may do no more than a rollout needs."""
    return client("sts").assume_role(
        RoleArn=member_role(account_id), RoleSessionName="conformance", ExternalId=state()["external_id"]
    )["Credentials"]


@functools.cache
def enterable():
    """The ids of accounts that can be entered, other than the management and the security account."""
    found = []
    for account in accounts()[2:]:
        if account["State"] != "ACTIVE":
            continue
        try:
            member_session(account["Id"])
        except botocore.exceptions.ClientError:
            continue
        found.append(account["Id"])
    return found


def buckets_of(account_id, region=None):
    return [
        bucket
        for bucket in state()["buckets"]
        if bucket["account"] == account_id and (region is None or bucket["region"] == region)
    ]


class Case(unittest.TestCase):
    longMessage = True

    def refused(self, code, status, call, **arguments):
        """The call fails with this code and HTTP status; gives the whole answer."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        response = caught.exception.response
        self.assertEqual((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        self.assertIn("Message", response["Error"])
        return response

    def shape(self, api, operation, answer):
        """The answer has only members of the model, each of the model's type, within its enums and patterns."""
        answer = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        output = api.meta.service_model.operation_model(operation).output_shape
        if output is None:
            self.assertEqual(answer, {}, operation)
        else:
            self._conforms(output, answer, operation)

    def _conforms(self, shape, value, path):
        kind = shape.type_name
        if kind == "structure":
            self.assertIsInstance(value, dict, path)
            for name, member in value.items():
                self.assertIn(name, shape.members, path)
                self._conforms(shape.members[name], member, f"{path}.{name}")
            for name in shape.metadata.get("required", []):
                self.assertIn(name, value, path)
        elif kind == "list":
            self.assertIsInstance(value, list, path)
            for item in value:
                self._conforms(shape.member, item, f"{path}[]")
        elif kind == "map":
            self.assertIsInstance(value, dict, path)
            for item in value.values():
                self._conforms(shape.value, item, f"{path}{{}}")
        elif kind == "string" and path.endswith(("PolicyDocument", "PolicyVersionList[].Document", "PolicyVersion.Document")):
            # IAM's policy documents are texts in the model, and decoded by botocore.
            self.assertIsInstance(value, dict, path)
        elif kind == "string":
            self.assertIsInstance(value, str, path)
            # A parameter's real type (AWS::IAM::Role::Arn, Boolean, …) is answered though the enum names two only.
            if shape.enum and not path.endswith("Parameters[].Type"):
                self.assertIn(value, shape.enum, path)
        elif kind == "boolean":
            self.assertIsInstance(value, bool, path)
        elif kind in ("integer", "long"):
            self.assertIsInstance(value, int, path)

    def until_ended(self, ssm, execution_id):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = ssm.get_automation_execution(AutomationExecutionId=execution_id)
            execution = answer["AutomationExecution"]
            if execution["AutomationExecutionStatus"] not in ("Pending", "InProgress", "Cancelling"):
                self.shape(ssm, "GetAutomationExecution", answer)
                return execution
            time.sleep(0.05)
        self.fail(f"execution {execution_id} did not end within {PATIENCE_SECONDS} s")
