"""The shipped organization with one bucket for each guard, as the guards' reads and an application's owner see it."""

import functools
import json
import socket
import time
import unittest
import unittest.mock
import urllib.request

from conformance import PATIENCE_SECONDS, ROOT, Case, client, serve

ACCOUNT, NEIGHBOUR = "444455556666", "777788889999"


@functools.cache
def environment():
    return serve(ROOT / "config/sandbox/one-of-each-guard.toml")


def control(path):
    with urllib.request.urlopen(f"{environment()['AWS_ENDPOINT_URL']}/_sandbox/{path}") as answer:
        return json.load(answer)


def api(service, credentials=None, region="us-east-1"):
    return client(service, region=region, credentials=credentials, names=environment())


@functools.cache
def session(account, role="orgseal-member"):
    assumed = {"RoleArn": f"arn:aws:iam::{account}:role/{role}", "RoleSessionName": "guards"}
    if role == "orgseal-member":
        return api("sts").assume_role(**assumed, ExternalId=control("state")["external_id"])["Credentials"]
    management = {**control("state")["management_credentials"], "SessionToken": None}
    return api("sts", management).assume_role(**assumed)["Credentials"]


def application(name):
    return next(one for one in control("applications")["applications"] if one["name"] == name)


def keys_of(name):
    one = control(f"application-credentials?name={name}")["credentials"][0]
    return {
        "AccessKeyId": one["access_key_id"],
        "SecretAccessKey": one["secret_access_key"],
        "SessionToken": one["session_token"],
    }


def bucket(name):
    return f"{name}-{ACCOUNT}"


class Reads(Case):
    """All as the member role with its shipped policy."""

    def setUp(self):
        self.s3 = api("s3", session(ACCOUNT))
        # The account is part of the host, which no machine resolves below a loopback address.
        resolve = socket.getaddrinfo
        loopback = lambda host, *rest, **named: resolve("127.0.0.1" if str(host).endswith("127.0.0.1") else host, *rest, **named)
        self.enterContext(unittest.mock.patch("socket.getaddrinfo", loopback))

    def test_the_reads_of_the_guards(self):
        policy = lambda name: json.loads(self.s3.get_bucket_policy(Bucket=bucket(name))["Policy"])["Statement"][0]
        self.assertEqual(policy("access-log-target")["Principal"], {"Service": "logging.s3.amazonaws.com"})
        self.assertEqual(policy("conflicting-policy")["Effect"], "Deny")
        self.assertEqual(policy("access-points")["Condition"], {"StringEquals": {"s3:DataAccessPointAccount": NEIGHBOUR}})
        for name, public in [("public-access", True), ("access-points", False), ("outside-principals", False)]:
            status = self.s3.get_bucket_policy_status(Bucket=bucket(name))["PolicyStatus"]
            self.assertEqual(status["IsPublic"], public, name)
        self.refused("NoSuchBucketPolicy", 404, self.s3.get_bucket_policy, Bucket=bucket("plain-1"))
        self.s3.get_bucket_website(Bucket=bucket("public-access-website"))
        rule = self.s3.get_bucket_replication(Bucket=bucket("replication-source"))["ReplicationConfiguration"]["Rules"][0]
        self.assertNotIn("SourceSelectionCriteria", rule)
        tags = self.s3.get_bucket_tagging(Bucket=bucket("infrastructure-as-code"))["TagSet"]
        self.assertIn("aws:cloudformation:stack-name", [tag["Key"] for tag in tags])
        abroad = api("s3", session(ACCOUNT), "eu-west-1")
        tags = abroad.get_bucket_tagging(Bucket=bucket("opt-out-tag"))["TagSet"]
        self.assertEqual(tags, [{"Key": "orgseal:opt-out", "Value": "true"}])
        owned = self.s3.get_bucket_ownership_controls(Bucket=bucket("object-ownership"))["OwnershipControls"]
        self.assertEqual(owned["Rules"], [{"ObjectOwnership": "ObjectWriter"}])
        grants = self.s3.get_bucket_acl(Bucket=bucket("object-ownership"))["Grants"]
        self.assertEqual([grant["Permission"] for grant in grants], ["FULL_CONTROL", "WRITE"])
        self.assertNotEqual(grants[0]["Grantee"]["ID"], grants[1]["Grantee"]["ID"])

    def test_inventories(self):
        # No guard reads them, so the shipped policy does not grant it.
        s3 = api("s3", session(ACCOUNT, "OrganizationAccountAccessRole"))
        name = bucket("log-destinations")
        answer = s3.list_bucket_inventory_configurations(Bucket=name)
        self.shape(s3, "ListBucketInventoryConfigurations", answer)
        [one] = answer["InventoryConfigurationList"]
        self.assertEqual(one["Destination"]["S3BucketDestination"]["Bucket"], f"arn:aws:s3:::{name}")
        answer = s3.get_bucket_inventory_configuration(Bucket=name, Id="daily")
        self.shape(s3, "GetBucketInventoryConfiguration", answer)
        self.assertEqual(answer["InventoryConfiguration"], one)
        self.refused("NoSuchConfiguration", 404, s3.get_bucket_inventory_configuration, Bucket=name, Id="none")
        self.assertFalse(s3.list_bucket_inventory_configurations(Bucket=bucket("plain-1"))["IsTruncated"])

    def test_access_points(self):
        name = bucket("access-points")
        mine, theirs = api("s3control", session(ACCOUNT)), api("s3control", session(NEIGHBOUR))
        answer = mine.list_access_points(AccountId=ACCOUNT, Bucket=name)
        self.assertEqual(answer["AccessPointList"], [], "an account lists its own")
        answer = theirs.list_access_points(AccountId=NEIGHBOUR, Bucket=name)
        self.shape(theirs, "ListAccessPoints", answer)
        [point] = answer["AccessPointList"]
        self.assertEqual((point["Name"], point["BucketAccountId"]), ("shared-reports", ACCOUNT))
        answer = theirs.get_access_point_policy(AccountId=NEIGHBOUR, Name="shared-reports")
        self.shape(theirs, "GetAccessPointPolicy", answer)
        self.assertIn("accesspoint/shared-reports/object", answer["Policy"])
        self.refused("NoSuchAccessPoint", 404, mine.get_access_point_policy, AccountId=ACCOUNT, Name="shared-reports")
        self.refused("AccessDenied", 403, mine.list_access_points, AccountId=NEIGHBOUR)

    def test_iam_shows_the_applications(self):
        iam = api("iam", session(ACCOUNT))
        details = iam.get_account_authorization_details(Filter=["Role"])
        self.shape(iam, "GetAccountAuthorizationDetails", details)
        roles = {role["RoleName"]: role for role in details["RoleDetailList"]}
        statements = roles["object-context"]["RolePolicyList"][0]["PolicyDocument"]["Statement"]
        security = control("state")["security_account"]
        self.assertEqual(statements[1]["Resource"], f"arn:aws:kms:*:{security}:key/*")
        self.assertIn("kms:EncryptionContext:aws:s3:arn", statements[1]["Condition"]["StringLike"])


class Change(Case):
    """Putting a bucket on the central key breaks who has no right on it, and CloudTrail says whom."""

    def seal(self, name, bucket_key=True):
        key = api("kms").describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        api("s3", session(ACCOUNT, "OrganizationAccountAccessRole")).put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}]
            },
        )
        return key

    def until(self, what, wanted):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if wanted(found):
                return found
            time.sleep(0.1)
        self.fail(f"not so within {PATIENCE_SECONDS} s: {found}")

    def test_an_application_without_the_key(self):
        name = bucket("principals-without-key")
        s3 = api("s3", keys_of("without-key"))
        s3.put_object(Bucket=name, Key="before", Body=b"x")
        self.refused("AccessDenied", 403, s3.put_object, Bucket=bucket("plain-1"), Key="k", Body=b"x")
        key = self.seal(name)
        message = self.refused("AccessDenied", 403, s3.put_object, Bucket=name, Key="k", Body=b"x")["Error"]["Message"]
        self.assertIn("kms:GenerateDataKey", message)
        s3.get_object(Bucket=name, Key="before")
        broken = self.until(lambda: application("without-key"), lambda state: state["failed_writes"] > 1)
        self.assertTrue(broken["buckets"][0]["failing"])
        trail = api("cloudtrail", session(ACCOUNT))
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "GenerateDataKey"}]
        events = trail.lookup_events(LookupAttributes=wanted)
        self.shape(trail, "LookupEvents", events)
        records = [json.loads(event["CloudTrailEvent"]) for event in events["Events"]]
        denied = [
            record for record in records
            if record.get("errorCode") == "AccessDenied" and "/without-key/" in record["userIdentity"]["arn"]
        ][0]
        self.assertEqual(denied["eventSource"], "kms.amazonaws.com")
        self.assertEqual(denied["requestParameters"]["keyId"], key)
        self.assertEqual(denied["requestParameters"]["encryptionContext"], {"aws:s3:arn": f"arn:aws:s3:::{name}"})
        self.assertEqual(denied["userIdentity"]["invokedBy"], "AWS Internal")
        self.assertEqual(denied["resources"][0]["ARN"], key)

    def test_an_application_with_the_key_and_one_bound_to_objects(self):
        name = bucket("plain-1")
        self.seal(name)
        s3 = api("s3", keys_of("with-key"))
        answer = s3.put_object(Bucket=name, Key="k", Body=b"x")
        self.assertEqual((answer["ServerSideEncryption"], answer["BucketKeyEnabled"]), ("aws:kms", True))
        self.assertEqual(s3.get_object(Bucket=name, Key="k")["Body"].read(), b"x")
        before = application("with-key")["writes"]
        after = self.until(lambda: application("with-key"), lambda state: state["writes"] > before + 2)
        self.assertEqual((after["failed_writes"], after["failed_reads"]), (0, 0))

        name = bucket("object-encryption-context")
        bound = api("s3", keys_of("object-context"))
        self.seal(name, bucket_key=False)
        bound.put_object(Bucket=name, Key="k", Body=b"x")
        self.seal(name, bucket_key=True)
        self.refused("AccessDenied", 403, bound.put_object, Bucket=name, Key="k", Body=b"x")


if __name__ == "__main__":
    unittest.main()
