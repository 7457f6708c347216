"""The original single-account procedure by hand, with the aws command line: key, role, document, execution, bucket."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

from conformance import PATIENCE_SECONDS, ROOT, enterable, environment, session

AWS = pathlib.Path(sys.executable).with_name("aws")


@unittest.skipUnless(AWS.exists(), "awscli is not installed")
class AwsCommandLine(unittest.TestCase):
    def setUp(self):
        self.account = enterable()[9]
        keys = session(self.account)
        self.mark = uuid.uuid4().hex[:12]
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": environment()["AWS_ENDPOINT_URL"],
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run_aws(self, *words):
        return subprocess.run([AWS, *words], env=self.environment, capture_output=True, text=True, timeout=60)

    def aws(self, *words):
        done = self.run_aws(*words)
        self.assertEqual(done.returncode, 0, f"aws {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout

    def refused(self, code, *words):
        done = self.run_aws(*words)
        self.assertNotEqual(done.returncode, 0, words)
        self.assertIn(f"({code})", done.stderr)

    def file(self, name, content):
        path = self.folder / name
        path.write_text(json.dumps(content))
        return f"file://{path}"

    def test_the_original_procedure(self):
        bucket, role, document = f"by-hand-{self.mark}", f"seal-{self.mark}", f"SealByHand-{self.mark}"
        key = self.aws("kms", "create-key", "--description", "by hand")["KeyMetadata"]["Arn"]
        self.aws("kms", "create-alias", "--alias-name", f"alias/{self.mark}", "--target-key-id", key)
        aliases = self.aws("kms", "list-aliases", "--key-id", key)["Aliases"]
        self.assertEqual([a["AliasName"] for a in aliases], [f"alias/{self.mark}"])

        trust = self.file("trust.json", {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": self.account}}}]})
        arn = self.aws("iam", "create-role", "--role-name", role, "--assume-role-policy-document", trust)["Role"]["Arn"]
        self.assertEqual(arn, f"arn:aws:iam::{self.account}:role/{role}")
        permission = self.file("permission.json", {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Resource": "arn:aws:s3:::*",
            "Action": ["s3:PutEncryptionConfiguration", "s3:GetEncryptionConfiguration"]}]})
        self.aws("iam", "put-role-policy", "--role-name", role, "--policy-name", "seal", "--policy-document", permission)
        self.assertEqual(self.aws("iam", "get-role", "--role-name", role)["Role"]["Arn"], arn)

        content = f"file://{ROOT}/config/documents/original-three-parameters.yaml"
        self.aws("ssm", "create-document", "--name", document, "--document-type", "Automation",
                 "--document-format", "YAML", "--content", content)
        self.aws("s3api", "create-bucket", "--bucket", bucket)
        self.aws("s3api", "wait", "bucket-exists", "--bucket", bucket)
        before = self.aws("s3api", "get-bucket-encryption", "--bucket", bucket)
        rule = before["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})

        parameters = f"BucketName={bucket},KMSMasterKeyID={key},AutomationAssumeRole={arn}"
        started = self.aws("ssm", "start-automation-execution", "--document-name", document, "--parameters", parameters)
        execution = started["AutomationExecutionId"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        status = None
        while status in (None, "Pending", "InProgress") and time.monotonic() < deadline:
            answer = self.aws("ssm", "get-automation-execution", "--automation-execution-id", execution)
            status = answer["AutomationExecution"]["AutomationExecutionStatus"]
        self.assertEqual(status, "Success", answer)
        steps = self.aws("ssm", "describe-automation-step-executions", "--automation-execution-id", execution)
        self.assertTrue(all(step["StepStatus"] == "Success" for step in steps["StepExecutions"]))

        after = self.aws("s3api", "get-bucket-encryption", "--bucket", bucket)
        rule = after["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key})

        # What the bucket does with it: a new object is under the key, and none can be written once the key is disabled.
        text = self.folder / "hello.txt"
        text.write_text("hello\n")
        self.aws("s3", "cp", str(text), f"s3://{bucket}/hello.txt")
        head = self.aws("s3api", "head-object", "--bucket", bucket, "--key", "hello.txt")
        self.assertEqual((head["ServerSideEncryption"], head["SSEKMSKeyId"]), ("aws:kms", key))
        back = self.folder / "back.txt"
        self.aws("s3", "cp", f"s3://{bucket}/hello.txt", str(back))
        self.assertEqual(back.read_text(), "hello\n")
        self.assertIn("hello.txt", self.aws("s3", "ls", f"s3://{bucket}", "--recursive"))
        self.assertIn("hello.txt", self.aws("s3", "ls", f"s3://{bucket}/"))
        self.aws("kms", "disable-key", "--key-id", key)
        self.refused("KMS.DisabledException", "s3", "cp", str(text), f"s3://{bucket}/other.txt")
        self.aws("kms", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
        self.refused("KMS.KMSInvalidStateException", "s3api", "get-object", "--bucket", bucket, "--key", "hello.txt", str(back))

    def test_a_role_that_does_not_trust_systems_manager(self):
        trust = self.file("trust.json", {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
        role = f"other-{self.mark}"
        arn = self.aws("iam", "create-role", "--role-name", role, "--assume-role-policy-document", trust)["Role"]["Arn"]
        document = f"SealByHand-{self.mark}"
        content = f"file://{ROOT}/config/documents/original-three-parameters.yaml"
        self.aws("ssm", "create-document", "--name", document, "--document-type", "Automation",
                 "--document-format", "YAML", "--content", content)
        self.refused(
            "InvalidAutomationExecutionParametersException", "ssm", "start-automation-execution", "--document-name", document,
            "--parameters", f"BucketName=b-{self.mark},KMSMasterKeyID=k,AutomationAssumeRole={arn}",
        )


if __name__ == "__main__":
    unittest.main()
