"""Permissions as boto3 sees them: what the shipped roles may not do, and in which words."""

import json
import unittest

from conformance import Case, buckets_of, client, enterable, member_role, member_session, session, state


class Permissions(Case):
    def setUp(self):
        self.account = enterable()[0]
        self.bucket = buckets_of(self.account, "us-east-1")[0]["name"]
        self.s3 = client("s3", credentials=member_session(self.account))

    def denied(self, code, status, action, why, call, **arguments):
        message = self.refused(code, status, call, **arguments)["Error"]["Message"]
        self.assertRegex(message, rf"^User: arn:aws:\S+ is not authorized to perform: {action} ")
        self.assertIn(why, message)
        return message

    def test_the_member_role_reads_and_does_not_write(self):
        self.s3.list_buckets()
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        message = self.denied(
            "AccessDenied", 403, "s3:PutEncryptionConfiguration",
            "because no identity-based policy allows the s3:PutEncryptionConfiguration action",
            self.s3.put_bucket_encryption,
            Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]},
        )
        self.assertIn(f'on resource: "arn:aws:s3:::{self.bucket}"', message)

    def test_a_head_has_a_status_and_the_region_only(self):
        answer = self.refused("403", 403, self.s3.head_bucket, Bucket=self.bucket)
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], "us-east-1")

    def test_json_services_say_access_denied_exception(self):
        member = member_session(self.account)
        for service, action, call in [
            ("ssm", "ssm:CreateDocument", lambda api: api.create_document(Name="Mine", Content="{}", DocumentType="Automation")),
            ("organizations", "organizations:ListAccounts", lambda api: api.list_accounts()),
            ("kms", "kms:CreateKey", lambda api: api.create_key()),
            ("config", "config:DeleteConfigRule", lambda api: api.delete_config_rule(ConfigRuleName="any")),
        ]:
            api = client(service, credentials=member)
            self.denied("AccessDeniedException", 400, action, "because no identity-based policy allows", lambda: call(api))

    def test_a_session_policy_narrows(self):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}]}
        keys = client("sts").assume_role(
            RoleArn=member_role(self.account), RoleSessionName="narrow", ExternalId=state()["external_id"], Policy=json.dumps(policy)
        )["Credentials"]
        s3 = client("s3", credentials=keys)
        s3.list_buckets()
        self.denied(
            "AccessDenied", 403, "s3:GetEncryptionConfiguration",
            "because no session policy allows the s3:GetEncryptionConfiguration action",
            s3.get_bucket_encryption, Bucket=self.bucket,
        )

    def test_another_accounts_bucket(self):
        other = client("s3", credentials=session(enterable()[1]))
        self.denied(
            "AccessDenied", 403, "s3:GetEncryptionConfiguration", "because no resource-based policy allows",
            other.get_bucket_encryption, Bucket=self.bucket,
        )

    def test_session_policies_that_do_not_load(self):
        for statement in [
            {"Effect": "Allow", "Action": "s3:*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"aws:userid": "x"}}},
        ]:
            self.refused(
                "MalformedPolicyDocument", 400, client("sts").assume_role,
                RoleArn=member_role(self.account), RoleSessionName="narrow", ExternalId=state()["external_id"],
                Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            )


if __name__ == "__main__":
    unittest.main()
