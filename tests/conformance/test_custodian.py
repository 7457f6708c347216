"""Cloud Custodian, unchanged, on a small simulated organization: c7n-org's aws-accounts script lists the accounts, an S3 policy
with c7n's default augmentation judges each bucket, and its verdicts are orgseal's, before and after a rollout.

c7n pins a boto3 of its own, so it has a virtual environment of its own (custodian.txt), whose bin folder ORGSEAL_CUSTODIAN
names; without it, the folder of this Python is taken. The binary is the one that ORGSEAL_BIN names.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unittest
import urllib.request

from conformance import ROOT

BIN = pathlib.Path(os.environ.get("ORGSEAL_CUSTODIAN", pathlib.Path(sys.executable).parent))
ORGSEAL = os.environ.get("ORGSEAL_BIN", str(ROOT / "target/debug/orgseal"))
# The first one is not the Region that Organizations and IAM are served from.
REGIONS = ["eu-west-1", "us-east-1"]
LIMIT_SECONDS = 240

SPEC = """
seed = 13
accounts = 5
suspended = 0
without_member_role = 0
buckets_per_account = 8
regions = ["eu-west-1", "us-east-1"]

[encryption]
none = 2
sse_s3 = 4
aws_managed = 2
sealed = 3
bucket_key_off = 2
dsse_sealed = 1
wrong_region_key = 1
customer_key = 2
"""

RULE = '"c7n:bucket-encryption".ServerSideEncryptionConfiguration.Rules[0]'
DEFAULT = f"{RULE}.ApplyServerSideEncryptionByDefault"


def value(key, wanted):
    return {"type": "value", "key": key, "value": wanted}


def policies(keys):
    """What is sealed, by Region: the central key of the bucket's Region, with a Bucket Key where the algorithm has one."""
    # Whichever it says, the filter reads the default encryption and leaves it with the bucket.
    read = {"or": [{"type": "bucket-encryption", "state": True}, {"type": "bucket-encryption", "state": False}]}
    kms = {"and": [value(f"{DEFAULT}.SSEAlgorithm", "aws:kms"), value(f"{RULE}.BucketKeyEnabled", True)]}
    sealed = [
        {
            "name": f"sealed-{region}",
            "resource": "aws.s3",
            "filters": [
                read,
                # us-east-1 has no location constraint.
                value("Location.LocationConstraint", "absent" if region == "us-east-1" else region),
                value(f"{DEFAULT}.KMSMasterKeyID", key),
                {"or": [kms, value(f"{DEFAULT}.SSEAlgorithm", "aws:kms:dsse")]},
            ],
        }
        for region, key in keys.items()
    ]
    return {"policies": [{"name": "every-bucket", "resource": "aws.s3"}, *sealed]}


class Custodian(unittest.TestCase):
    def setUp(self):
        self.assertTrue(
            (BIN / "c7n-org").exists(),
            f"no c7n-org in {BIN}: pip install -r tests/conformance/custodian.txt into a virtual environment, and name its "
            "bin folder in ORGSEAL_CUSTODIAN",
        )
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "spec.toml").write_text(SPEC)
        self.serve()
        with urllib.request.urlopen(self.exports["AWS_ENDPOINT_URL"] + "/_sandbox/state", timeout=60) as answer:
            self.state = json.load(answer)

    def serve(self):
        command = [ORGSEAL, "sandbox", "--port", "0", "--speed", "50", "--spec", "spec.toml", "--write-config", "campaign.toml"]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        self.exports = {}
        for line in process.stdout:
            name, _, text = line.strip().removeprefix("export ").partition("=")
            if line.startswith("export ") and text:
                self.exports[name] = text.strip("'\"")
            if line.startswith("unset "):
                break
        self.assertIn("AWS_ENDPOINT_URL", self.exports)
        self.addCleanup(process.stdout.close)

    def run_tool(self, command, codes=(0,), **more):
        """Runs a program in the folder, with this sandbox's variables and nothing else of the machine's AWS settings."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "ORGSEAL_"))}
        environment = {**kept, **self.exports, "HOME": str(self.folder), **more}
        done = subprocess.run(
            [str(word) for word in command], cwd=self.folder, env=environment, capture_output=True, text=True,
            timeout=LIMIT_SECONDS,
        )
        self.assertIn(done.returncode, codes, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def custodian(self, round):
        """Every bucket that c7n-org sees, and those that its policies find sealed."""
        # OrganizationAccountAccessRole trusts the management account, which has no such role itself.
        management = self.state["management_credentials"]
        keys = {"AWS_ACCESS_KEY_ID": management["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": management["SecretAccessKey"]}
        script = [BIN / "python", "-m", "c7n_org.orgaccounts", "-f", "accounts.yml", "-i", self.state["management_account"]]
        self.run_tool(script, **keys)
        campaign = tomllib.loads((self.folder / "campaign.toml").read_text())
        wanted = policies({region: campaign["central_key"][region] for region in REGIONS})
        (self.folder / "policies.json").write_text(json.dumps(wanted))
        output = self.folder / f"c7n-{round}"
        words = ["run", "-c", "accounts.yml", "-u", "policies.json", "-s", output, "--region", "us-east-1", "--cache-period", "0"]
        done = self.run_tool([BIN / "c7n-org", *words], C7N_ORG_PARALLEL="2", **keys)
        for trouble in ["Traceback", "exception", "rror", "denied"]:
            self.assertNotIn(trouble, done.stderr + done.stdout)
        found = {"every-bucket": set(), "sealed": set()}
        for file in output.glob("*/us-east-1/*/resources.json"):
            kind = "every-bucket" if file.parent.name == "every-bucket" else "sealed"
            for bucket in json.loads(file.read_text()):
                found[kind].add(bucket["Name"])
                # The default augmentation reads all of this; what is denied would be named here.
                self.assertEqual(bucket.get("c7n:DeniedMethods", []), [], bucket["Name"])
                self.assertLessEqual({"Location", "Tags", "Policy", "Acl", "Versioning", "Lifecycle"}, set(bucket))
        return found

    def orgseal(self, *words, codes=(0, 2)):
        command = [ORGSEAL, *words, "--config", "campaign.toml", "--state", "state", "--json"]
        return json.loads(self.run_tool(command, codes).stdout)

    def compare(self, round, document):
        found = self.custodian(round)
        findings = [one for one in document["findings"] if one["account"] != self.state["management_account"]]
        self.assertGreater(len(findings), 20)
        self.assertEqual(found["every-bucket"], {one["bucket"] for one in findings})
        for one in findings:
            says = "sealed" if one["bucket"] in found["sealed"] else "not sealed"
            with self.subTest(round=round, bucket=one["bucket"], reason=one["reason"]):
                self.assertEqual(says, "sealed" if one["verdict"] == "sealed" else "not sealed")
        return {one["verdict"] for one in findings}

    def test_verdicts_before_and_after_a_rollout(self):
        before = self.compare("before", self.orgseal("audit"))
        self.assertLessEqual({"sealed", "not_sealed", "held"}, before)
        self.orgseal("rollout", "--yes")
        # Keys of teams' own are held; everything else is sealed.
        after = self.compare("after", self.orgseal("audit"))
        self.assertEqual(after, {"sealed", "held"})


if __name__ == "__main__":
    unittest.main()
