"""KMS: DescribeKey in the key's own account, across accounts and across Regions; keys that people make."""

import json
import unittest
import uuid

from conformance import Case, client, enterable, session, state


class Kms(Case):
    def setUp(self):
        self.kms = client("kms", "eu-west-1")
        self.central = self.kms.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]
        self.member = client("kms", "eu-west-1", session(enterable()[0]))

    def test_the_central_key_in_full(self):
        answer = self.kms.describe_key(KeyId=self.central["Arn"])
        self.shape(self.kms, "DescribeKey", answer)
        key = answer["KeyMetadata"]
        self.assertEqual(key, self.central)
        self.assertEqual(key["AWSAccountId"], state()["security_account"])
        self.assertEqual(
            (key["Enabled"], key["KeyState"], key["KeyUsage"], key["KeySpec"], key["KeyManager"]),
            (True, "Enabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "CUSTOMER"),
        )

    def test_by_id_alias_and_arn(self):
        for key_id in [self.central["KeyId"], self.central["Arn"].replace(f"key/{self.central['KeyId']}", "alias/orgseal-central")]:
            self.assertEqual(self.kms.describe_key(KeyId=key_id)["KeyMetadata"], self.central)

    def test_a_member_sees_the_central_key_by_arn_alone(self):
        self.assertEqual(self.member.describe_key(KeyId=self.central["Arn"])["KeyMetadata"], self.central)
        self.refused("NotFoundException", 400, self.member.describe_key, KeyId=self.central["KeyId"])
        self.refused("NotFoundException", 400, self.member.describe_key, KeyId="alias/orgseal-central")

    def test_a_members_own_keys(self):
        own = self.member.describe_key(KeyId="alias/team-key")["KeyMetadata"]
        self.assertEqual((own["AWSAccountId"], own["KeyManager"]), (enterable()[0], "CUSTOMER"))
        managed = self.member.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
        self.assertEqual(managed["KeyManager"], "AWS")
        self.refused("AccessDeniedException", 400, self.kms.describe_key, KeyId=own["Arn"])

    def test_another_region_does_not_know_the_key(self):
        elsewhere = client("kms", "us-east-1")
        self.refused("NotFoundException", 400, elsewhere.describe_key, KeyId=self.central["Arn"])
        self.assertNotEqual(elsewhere.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"], self.central["Arn"])

    def test_what_is_not_there(self):
        self.refused("NotFoundException", 400, self.kms.describe_key, KeyId="00000000-0000-0000-0000-000000000000")
        self.refused("InvalidArnException", 400, self.kms.describe_key, KeyId="arn:aws:kms:nowhere")
        self.refused("UnknownOperationException", 400, self.kms.list_grants, KeyId="x")
        unknown = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x", "SessionToken": None}
        self.refused("UnrecognizedClientException", 400, client("kms", credentials=unknown).describe_key, KeyId="x")


class MadeKeys(Case):
    def setUp(self):
        self.kms = client("kms", "us-east-1", session(enterable()[2]))

    def called(self, method, **arguments):
        operation = self.kms.meta.method_to_api_mapping[method]
        answer = getattr(self.kms, method)(**arguments)
        self.shape(self.kms, operation, answer)
        return answer

    def policy(self, **more):
        account = enterable()[2]
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*", **more}]})

    def test_a_multi_region_key_from_its_making_to_its_end(self):
        made = self.called("create_key", MultiRegion=True, Policy=self.policy(), Description="mine",
                           Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
        replica = self.called("replicate_key", KeyId=made["KeyId"], ReplicaRegion="eu-west-1", Description="there")
        self.assertEqual(replica["ReplicaTags"], [])
        there = client("kms", "eu-west-1", session(enterable()[2]))
        seen = there.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
        self.shape(there, "DescribeKey", {"KeyMetadata": seen})
        self.assertEqual(seen, replica["ReplicaKeyMetadata"])
        self.assertEqual(seen["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")
        self.assertEqual(seen["MultiRegionConfiguration"]["PrimaryKey"]["Arn"], made["Arn"])
        self.refused("AlreadyExistsException", 400, self.kms.replicate_key, KeyId=made["KeyId"], ReplicaRegion="eu-west-1")
        self.refused("UnsupportedOperationException", 400, there.replicate_key, KeyId=made["KeyId"], ReplicaRegion="us-east-1")
        blob = self.kms.encrypt(KeyId=made["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
        self.assertEqual(there.decrypt(CiphertextBlob=blob)["Plaintext"], b"secret")
        self.called("schedule_key_deletion", KeyId=made["KeyId"], PendingWindowInDays=7)
        state = self.called("describe_key", KeyId=made["KeyId"])["KeyMetadata"]
        self.assertEqual((state["KeyState"], state["PendingDeletionWindowInDays"]), ("PendingReplicaDeletion", 7))

    def test_policies(self):
        key = self.called("create_key")["KeyMetadata"]["KeyId"]
        self.assertEqual(self.called("list_key_policies", KeyId=key)["PolicyNames"], ["default"])
        self.called("put_key_policy", KeyId=key, PolicyName="default", Policy=self.policy(Sid="Mine"))
        self.assertEqual(self.called("get_key_policy", KeyId=key)["Policy"], self.policy(Sid="Mine"))
        locked = self.policy(Action="kms:Decrypt")
        malformed = "MalformedPolicyDocumentException"
        for method, arguments in [(self.kms.create_key, {}), (self.kms.put_key_policy, {"KeyId": key})]:
            refusal = self.refused(malformed, 400, method, Policy=locked, **arguments)
            self.assertIn("will not allow you to update the key policy", refusal["Error"]["Message"])
            self.refused(malformed, 400, method, Policy=self.policy(Effect="Perhaps"), **arguments)
            nobody = {"AWS": f"arn:aws:iam::{enterable()[2]}:role/nobody"}
            refusal = self.refused(malformed, 400, method, Policy=self.policy(Principal=nobody), BypassPolicyLockoutSafetyCheck=True, **arguments)
            self.assertIn("invalid principals", refusal["Error"]["Message"])
        self.called("put_key_policy", KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
        self.refused("AccessDeniedException", 400, self.kms.get_key_policy, KeyId=key)

    def test_aliases(self):
        one, two = (self.called("create_key")["KeyMetadata"]["KeyId"] for _ in range(2))
        name = f"alias/made-{uuid.uuid4()}"
        self.called("create_alias", AliasName=name, TargetKeyId=one)
        self.called("update_alias", AliasName=name, TargetKeyId=two)
        listed = self.called("list_aliases", KeyId=two)["Aliases"]
        self.assertEqual([(a["AliasName"], a["TargetKeyId"]) for a in listed], [(name, two)])
        self.assertEqual(self.called("list_aliases", KeyId=one)["Aliases"], [])
        self.called("delete_alias", AliasName=name)
        self.refused("NotFoundException", 400, self.kms.update_alias, AliasName=name, TargetKeyId=one)

    def test_rotation_and_tags(self):
        key = self.called("create_key")["KeyMetadata"]["KeyId"]
        self.called("enable_key_rotation", KeyId=key, RotationPeriodInDays=120)
        status = self.called("get_key_rotation_status", KeyId=key)
        self.assertEqual((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 120))
        self.called("disable_key_rotation", KeyId=key)
        self.assertFalse(self.called("get_key_rotation_status", KeyId=key)["KeyRotationEnabled"])
        self.called("tag_resource", KeyId=key, Tags=[{"TagKey": n, "TagValue": "v"} for n in "abc"])
        self.called("untag_resource", KeyId=key, TagKeys=["b"])
        pages = self.kms.get_paginator("list_resource_tags").paginate(KeyId=key, PaginationConfig={"PageSize": 1})
        self.assertEqual([tag["TagKey"] for page in pages for tag in page["Tags"]], ["a", "c"])
        self.refused("TagException", 400, self.kms.tag_resource, KeyId=key, Tags=[{"TagKey": "aws:a", "TagValue": ""}])


if __name__ == "__main__":
    unittest.main()
