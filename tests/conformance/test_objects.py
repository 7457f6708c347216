"""Objects and bucket configuration in an organization: owners, Regions, unsigned readers, checksums, the account's block."""

import hashlib
import json
import socket
import unittest
import unittest.mock
import uuid

import boto3
import botocore
import botocore.config

from conformance import CONFIG, Case, client, enterable, environment, session, state


class Objects(Case):
    def setUp(self):
        self.account, self.other = enterable()[10], enterable()[11]
        self.s3 = client("s3", credentials=session(self.account))
        self.friend = client("s3", credentials=session(self.other))
        self.bucket = f"conformance-{uuid.uuid4().hex[:20]}"
        self.s3.create_bucket(Bucket=self.bucket)
        unsigned = CONFIG.merge(botocore.config.Config(signature_version=botocore.UNSIGNED))
        self.nobody = boto3.client("s3", region_name="us-east-1", endpoint_url=environment()["AWS_ENDPOINT_URL"], config=unsigned)

    def default(self, key):
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}]})

    def open_to(self, principal):
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.bucket}/*"}]}))

    def test_the_central_key_serves_members_and_not_the_unsigned(self):
        central = client("kms").describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]
        self.open_to("*")
        self.s3.put_object(Bucket=self.bucket, Key="old", Body=b"old")
        self.default(central)
        put = self.s3.put_object(Bucket=self.bucket, Key="new", Body=b"new")
        self.assertEqual((put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]), ("aws:kms", central, True))
        self.assertEqual(self.friend.get_object(Bucket=self.bucket, Key="new")["Body"].read(), b"new")
        self.assertEqual(self.nobody.get_object(Bucket=self.bucket, Key="old")["Body"].read(), b"old")
        self.refused("InvalidArgument", 400, self.nobody.get_object, Bucket=self.bucket, Key="new")
        self.refused("AccessDenied", 403, self.friend.put_object, Bucket=self.bucket, Key="x", Body=b"x")
        self.refused("AccessDenied", 403, self.nobody.list_objects_v2, Bucket=self.bucket)

    def test_keys_that_cannot_be_used(self):
        abroad = client("kms", "eu-west-1").describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]
        foreign = client("kms", credentials=session(self.other)).describe_key(KeyId="alias/team-key")["KeyMetadata"]["Arn"]
        for key, code, status in [
            (abroad, "KMS.NotFoundException", 400),
            (foreign, "AccessDenied", 403),
            (foreign[:-4] + "0000", "AccessDenied", 403),
            ("alias/nobodys", "KMS.NotFoundException", 400),
        ]:
            self.default(key)
            self.refused(code, status, self.s3.put_object, Bucket=self.bucket, Key="k", Body=b"x")
        self.default("alias/team-key")
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"x")

    def test_checksums(self):
        body = b"hello" * 1000
        for algorithm in ["CRC32", "SHA256", "SHA1"]:
            put = self.s3.put_object(Bucket=self.bucket, Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
            self.shape(self.s3, "PutObject", put)
            got = self.s3.get_object(Bucket=self.bucket, Key=algorithm, ChecksumMode="ENABLED")
            # botocore verifies it while reading.
            self.assertEqual(got["Body"].read(), body)
            self.assertEqual(got[f"Checksum{algorithm}"], put[f"Checksum{algorithm}"])
            self.assertEqual(got["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        self.refused("BadDigest", 400, self.s3.put_object, Bucket=self.bucket, Key="bad", Body=body, ChecksumSHA256="A" * 43 + "=")
        self.refused("EntityTooLarge", 400, self.s3.put_object, Bucket=self.bucket, Key="large", Body=b"x" * (5 << 20) + b"x")
        self.s3.put_object(Bucket=self.bucket, Key="largest", Body=b"x" * (5 << 20))
        self.s3.delete_object(Bucket=self.bucket, Key="largest")

    def test_owners_and_regions(self):
        for call in ["get_bucket_policy", "get_bucket_policy_status", "get_bucket_logging", "get_bucket_website", "get_bucket_tagging",
                     "get_bucket_replication", "get_bucket_acl", "get_public_access_block", "get_bucket_ownership_controls",
                     "get_bucket_notification_configuration", "get_bucket_versioning", "get_bucket_accelerate_configuration",
                     "delete_bucket", "list_objects_v2"]:
            with self.subTest(call):
                self.refused("AccessDenied", 403, getattr(self.s3, call), Bucket=self.bucket, ExpectedBucketOwner=self.other)
                self.refused("AccessDenied", 403, getattr(self.friend, call), Bucket=self.bucket)
                self.refused("InvalidBucketOwnerAWSAccountID", 400, getattr(self.s3, call), Bucket=self.bucket, ExpectedBucketOwner="me")
        seen = []
        abroad = client("s3", "eu-west-1", session(self.account))
        abroad.meta.events.register("response-received.s3", lambda response_dict, **_: seen.append(response_dict["status_code"]))
        abroad.get_public_access_block(Bucket=self.bucket)
        abroad.put_object(Bucket=self.bucket, Key="k", Body=b"x")
        self.assertEqual(seen, [301, 200, 200])

    def test_a_name_that_another_account_took(self):
        self.refused("BucketAlreadyExists", 409, self.friend.create_bucket, Bucket=self.bucket)
        self.s3.delete_bucket(Bucket=self.bucket)
        self.s3.get_waiter("bucket_not_exists").wait(Bucket=self.bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 2})
        self.friend.create_bucket(Bucket=self.bucket)
        self.refused("403", 403, self.s3.head_bucket, Bucket=self.bucket)
        self.assertIn(self.bucket, [b["Name"] for b in self.friend.list_buckets(Prefix=self.bucket)["Buckets"]])
        self.assertEqual(self.s3.list_buckets(Prefix=self.bucket)["Buckets"], [])

    def test_the_accounts_own_public_access_block(self):
        control = client("s3control", credentials=session(self.account))
        # The account is part of the host, which no machine resolves below a loopback address.
        resolve = socket.getaddrinfo
        loopback = lambda host, *rest, **named: resolve("127.0.0.1" if str(host).endswith("127.0.0.1") else host, *rest, **named)
        self.enterContext(unittest.mock.patch("socket.getaddrinfo", loopback))
        call = control.get_public_access_block
        self.refused("NoSuchPublicAccessBlockConfiguration", 404, call, AccountId=self.account)
        self.refused("AccessDenied", 403, call, AccountId=self.other)
        block = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
        control.put_public_access_block(AccountId=self.account, PublicAccessBlockConfiguration=block)
        answer = call(AccountId=self.account)
        self.shape(control, "GetPublicAccessBlock", answer)
        self.assertEqual(answer["PublicAccessBlockConfiguration"], block)
        with self.assertRaises(self.s3.exceptions.ClientError):
            self.open_to("*")
        control.delete_public_access_block(AccountId=self.account)
        self.open_to("*")


class Keys(Case):
    def test_other_accounts_do_not_administer_a_key(self):
        kms, member = client("kms"), client("kms", credentials=session(enterable()[10]))
        central = kms.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]
        policy = json.loads(kms.get_key_policy(KeyId=central)["Policy"])
        organization = client("organizations").describe_organization()["Organization"]["Id"]
        self.assertIn(organization, json.dumps(policy))
        for call in [member.get_key_policy, member.disable_key, member.enable_key, member.schedule_key_deletion]:
            self.refused("AccessDeniedException", 400, call, KeyId=central)
        self.refused("DryRunOperationException", 412, member.generate_data_key, KeyId=central, KeySpec="AES_256", DryRun=True)
        own = kms.describe_key(KeyId="alias/team-key")["KeyMetadata"]["Arn"]
        self.refused("AccessDeniedException", 400, member.generate_data_key, KeyId=own, KeySpec="AES_256", DryRun=True)
        managed = member.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
        self.refused("AccessDeniedException", 400, member.disable_key, KeyId=managed)
        self.refused("AccessDeniedException", 400, member.generate_data_key, KeyId=managed, KeySpec="AES_256")
        self.assertEqual(state()["security_account"], central.split(":")[4])


if __name__ == "__main__":
    unittest.main()
