"""Partitions: orgseal's data and the sandbox against botocore's, and unchanged boto3 and aws clients in each partition."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unittest

import boto3
import botocore.awsrequest
import botocore.session
from botocore.exceptions import ClientError

from conformance import ROOT, serve

AWS = pathlib.Path(sys.executable).with_name("aws")
DATA = botocore.session.Session().get_component("data_loader").load_data("partitions")["partitions"]
SPEC = "partition = \"{}\"\n{}accounts = 3\nbuckets_per_account = 1\nsuspended = 0\nwithout_member_role = 0\n"


@functools.cache
def organization(partition, regions=""):
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as spec:
        spec.write(SPEC.format(partition, regions))
    names = serve(spec.name)
    os.unlink(spec.name)
    return names


def signed_for(service, region):
    """The Region that botocore signs for where nothing overrides the endpoint: its own rules say it."""
    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b")
    api = session.client(service, region_name=region)
    scopes = []

    def stop(request, **_):
        authorization = request.headers["Authorization"]
        text = authorization.decode() if isinstance(authorization, bytes) else authorization
        scopes.append(text.split("Credential=")[1].split("/")[2])
        return botocore.awsrequest.AWSResponse(request.url, 400, {}, None)

    api.meta.events.register("before-send.*", stop)
    try:
        {"iam": lambda: api.list_roles(MaxItems=1), "organizations": lambda: api.list_roots()}[service]()
    except Exception:  # The answer is nobody's.
        pass
    return scopes[0]


class Partitions(unittest.TestCase):
    def test_the_data_are_botocores(self):
        ours = tomllib.loads((ROOT / "crates/core/src/model/partitions.toml").read_text())["partition"]
        self.assertEqual({one["name"] for one in ours}, {one["id"] for one in DATA})
        for theirs in DATA:
            one = next(one for one in ours if one["name"] == theirs["id"])
            self.assertEqual(one["dns_suffix"], theirs["outputs"]["dnsSuffix"])
            self.assertEqual(
                {*one["enabled_regions"], *one.get("opt_in_regions", [])},
                {region for region in theirs["regions"] if "global" not in region},
            )
            for region in (region for region in theirs["regions"] if "global" not in region):
                prefixes = [
                    (len(prefix), other["name"])
                    for other in ours for prefix in other["region_prefixes"] if region.startswith(prefix)
                ]
                self.assertEqual(max(prefixes)[1], theirs["id"], region)

    def test_the_exports_make_unchanged_clients_sign_rightly(self):
        for partition in (one["id"] for one in DATA):
            names = organization(partition)
            region = names["AWS_REGION"]
            self.assertEqual(names["AWS_DEFAULT_REGION"], region)
            self.assertEqual(region, signed_for("organizations", region), partition)
            client = functools.partial(
                boto3.session.Session().client, endpoint_url=names["AWS_ENDPOINT_URL"],
                aws_access_key_id=names["AWS_ACCESS_KEY_ID"], aws_secret_access_key=names["AWS_SECRET_ACCESS_KEY"])
            arn = client("sts", region_name=region).get_caller_identity()["Arn"]
            self.assertEqual(arn.split(":")[1], partition)
            accounts = client("organizations", region_name=region).list_accounts()["Accounts"]
            self.assertEqual(len(accounts), 3)
            self.assertTrue(all(account["Arn"].startswith(f"arn:{partition}:") for account in accounts))
            # In China, IAM is served from another Region than Organizations: no one Region is right for both.
            iam = signed_for("iam", region)
            self.assertEqual(iam == region, partition != "aws-cn", partition)
            client("iam", region_name=iam).list_roles(MaxItems=1)

    def test_a_client_of_another_region_is_refused_as_by_aws(self):
        names = organization("aws", "regions = [\"eu-west-1\", \"eu-central-1\"]\n")
        self.assertEqual(names["AWS_REGION"], "us-east-1")
        for service, call, code in (
            ("iam", "list_roles", "SignatureDoesNotMatch"),
            ("organizations", "list_roots", "InvalidSignatureException"),
        ):
            api = boto3.session.Session().client(
                service, region_name="eu-west-1", endpoint_url=names["AWS_ENDPOINT_URL"],
                aws_access_key_id=names["AWS_ACCESS_KEY_ID"], aws_secret_access_key=names["AWS_SECRET_ACCESS_KEY"])
            with self.assertRaises(ClientError) as refused:
                getattr(api, call)()
            self.assertEqual(refused.exception.response["Error"]["Code"], code)

    @unittest.skipUnless(AWS.exists(), "awscli is not installed")
    def test_the_aws_command_line_works_with_the_exports_alone(self):
        names = organization("aws", "regions = [\"eu-west-1\", \"eu-central-1\"]\n")
        environment = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), **names}
        for words in (
            ["iam", "list-roles"],
            ["organizations", "list-accounts"],
            ["sts", "get-caller-identity"],
            ["s3api", "list-buckets"],
            ["kms", "list-keys", "--region", "eu-central-1"],
        ):
            done = subprocess.run([AWS, *words], env=environment, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, f"aws {' '.join(words)}: {done.stderr}")


if __name__ == "__main__":
    unittest.main()
