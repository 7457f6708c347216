"""The scenarios of `scenarios` against moto: where moto's notes differ from what AWS documents, the difference is listed here
with its reason. A difference that is not listed fails, and so does a listed one that is gone.
"""

import atexit
import functools
import pathlib
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.config

import scenarios
from expected import EXPECTED

NEW_BUCKETS = "S3 User Guide, 'Default settings for new S3 buckets FAQ': since April 2023 new buckets block public access and have ACLs disabled"
SSE_BY_DEFAULT = "S3 User Guide, 'Amazon S3 now automatically encrypts all new objects': SSE-S3 is the base level since January 2023, and is answered in headers"
KEYS_ARE_USED = "S3 User Guide, 'Using server-side encryption with AWS KMS keys': each write and read asks KMS, and fails with its error"
KEY_STATES = "KMS Developer Guide, 'Key states of AWS KMS keys': cryptographic and state-changing operations fail in these states"
WHOLE_METADATA = "KMS API Reference, KeyMetadata: CreateKey answers with KeyUsage and MultiRegion"
POLICY_CHECKED = "S3 API Reference, PutBucketPolicy and 'Error responses': a document that is no policy for this bucket is MalformedPolicy"
DRY_RUN = "KMS API Reference, GenerateDataKey: with DryRun an allowed request fails with DryRunOperationException"
VERSIONS = "Systems Manager API Reference, GetDocument: InvalidDocumentVersion for a version that does not exist"

DIFFERENCES = {
    "bucket_life": {
        "a name with capitals": ("ok", "S3 User Guide, 'Bucket naming rules': lower case letters only"),
        "its encryption": ("ServerSideEncryptionConfigurationNotFoundError 404", SSE_BY_DEFAULT),
        "its public access block": ("NoSuchPublicAccessBlockConfiguration 404", NEW_BUCKETS),
        "its ownership": ("OwnershipControlsNotFoundError 404", NEW_BUCKETS),
    },
    "bucket_configurations": {
        "a policy that is no JSON": ("ok", POLICY_CHECKED),
        "a policy for another bucket": ("ok", POLICY_CHECKED),
        "replication": (False, "S3 API Reference, GetBucketReplication: the configuration comes back as it was put"),
        "a public policy under the block": (
            "ok", "S3 User Guide, 'Blocking public access': BlockPublicPolicy rejects a policy that is public"),
        "its grants": (
            [("", "FULL_CONTROL"), ("http://acs.amazonaws.com/groups/s3/LogDelivery", "READ_ACP")],
            "S3 User Guide, 'Canned ACL': log-delivery-write grants WRITE and READ_ACP"),
        "notifications": ({}, "S3 API Reference, GetBucketNotificationConfiguration: EventBridgeConfiguration is shown"),
    },
    "objects": {
        "put": ((None, None, False), SSE_BY_DEFAULT),
        "get": ((b"hello", "text/plain", {"who": "me"}, 5, '"5d41402abc4b2a76b9719d911017c592"', None, None, False), SSE_BY_DEFAULT),
        "put under a disabled key": ("ok", KEYS_ARE_USED),
        "get under a disabled key": ("ok", KEYS_ARE_USED),
        "put under a key pending deletion": ("ok", KEYS_ARE_USED),
        "put under a key that never was": ("ok", KEYS_ARE_USED),
        "an algorithm that is none": ("ok", "S3 API Reference, PutObject: AES256, aws:kms and aws:kms:dsse are the values"),
        "the second page": (["c", "d", "e"], "follows from the writes that AWS refuses"),
    },
    "keys": {
        "a key": ({**EXPECTED["keys"]["a key"], "KeyUsage": None, "MultiRegion": None}, WHOLE_METADATA),
        "a reserved alias": ("ok", "KMS API Reference, CreateAlias: alias/aws/ is reserved"),
        "a dry run": ("ok", DRY_RUN),
        "a data key of a disabled key": ("ok", KEY_STATES),
        "a window too short": ("ok", "KMS API Reference, ScheduleKeyDeletion: 7 to 30 days"),
        "schedule deletion": ((None, None), "KMS API Reference, ScheduleKeyDeletion: KeyState and PendingWindowInDays"),
        "a data key of a key pending deletion": ("ok", KEY_STATES),
        "enable a key pending deletion": ("ok", KEY_STATES),
        "schedule again": ("ok", KEY_STATES),
        "cancel again": ("ok", KEY_STATES),
        "a key without material": ("Enabled", "KMS API Reference, CreateKey: with Origin EXTERNAL the state is PendingImport"),
    },
    "roles": {
        "a trust that is no JSON": ("ok", "IAM API Reference, CreateRole: MalformedPolicyDocument"),
    },
    "documents": {
        "a version that is not there": ("InvalidDocument 400", VERSIONS),
        "all versions": ("500 500", "moto has no ListDocumentVersions"),
        "a default that is not there": ("InvalidDocument 400", VERSIONS),
        "the deleted version": ("InvalidDocument 400", VERSIONS),
    },
}


@functools.cache
def moto():
    """Starts moto's server on a free port; gives its endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = pathlib.Path(sys.executable).with_name("moto_server")
    process = subprocess.Popen(
        [server, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    atexit.register(process.terminate)
    endpoint = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/")
            return endpoint
        except urllib.error.HTTPError:
            return endpoint
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("moto_server does not answer")


def client(service, region):
    config = botocore.config.Config(
        parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
    )
    return boto3.client(
        service, region_name=region, endpoint_url=moto(), config=config,
        aws_access_key_id="moto", aws_secret_access_key="moto",
    )


@unittest.skipUnless(pathlib.Path(sys.executable).with_name("moto_server").exists(), "moto[server] is not installed")
class AgainstMoto(unittest.TestCase):
    maxDiff = None

    def walk(self, scenario):
        walk = scenarios.Walk(client)
        scenario(walk)
        found = {label: note for label, note in walk.notes.items() if note != EXPECTED[scenario.__name__][label]}
        listed = {label: note for label, (note, _) in DIFFERENCES[scenario.__name__].items()}
        self.assertEqual(found, listed)

    def test_every_difference_is_explained(self):
        for name, differences in DIFFERENCES.items():
            self.assertLessEqual(differences.keys(), EXPECTED[name].keys(), name)
            self.assertTrue(all(why for _, why in differences.values()), name)


def _test(scenario):
    return lambda self: self.walk(scenario)


for _scenario in scenarios.ALL:
    setattr(AgainstMoto, f"test_{_scenario.__name__}", _test(_scenario))


if __name__ == "__main__":
    unittest.main()
