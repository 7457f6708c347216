"""KMS: DescribeKey in the key's own account, across accounts and across Regions."""

import unittest

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


if __name__ == "__main__":
    unittest.main()
