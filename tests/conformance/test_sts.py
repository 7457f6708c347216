"""STS: identity, trust, external ID, durations, session policies."""

import json
import unittest

import botocore
import botocore.client
import botocore.config

from conformance import Case, accounts, client, enterable, environment, member_role, session, state
import boto3


class Sts(Case):
    def setUp(self):
        self.sts = client("sts")
        self.role = {
            "RoleArn": member_role(enterable()[0]),
            "RoleSessionName": "conformance",
            "ExternalId": state()["external_id"],
        }

    def test_who_am_i(self):
        me = self.sts.get_caller_identity()
        self.shape(self.sts, "GetCallerIdentity", me)
        self.assertEqual(me["Account"], state()["security_account"])
        self.assertTrue(me["Arn"].startswith(f"arn:aws:iam::{me['Account']}:user/"))
        self.assertRegex(me["ResponseMetadata"]["RequestId"], "^[0-9a-f-]{36}$")

    def test_a_session_is_its_role(self):
        # Tags and a source identity are rights of their own: the caller's role grants them, the member role does not.
        more = {"SourceIdentity": "me", "Tags": [{"Key": "a", "Value": "b"}]}
        self.refused("AccessDenied", 403, self.sts.assume_role, **self.role, **more)
        role = f"arn:aws:iam::{state()['security_account']}:role/orgseal"
        answer = self.sts.assume_role(RoleArn=role, RoleSessionName="conformance", **more)
        self.shape(self.sts, "AssumeRole", answer)
        self.assertEqual(answer["SourceIdentity"], "me")
        self.assertTrue(answer["Credentials"]["AccessKeyId"].startswith("ASIA"))
        me = client("sts", "eu-west-1", answer["Credentials"]).get_caller_identity()
        self.assertEqual(me["Arn"], answer["AssumedRoleUser"]["Arn"])
        self.assertEqual(me["Account"], state()["security_account"])

    def test_trust_needs_the_external_id(self):
        without = {name: value for name, value in self.role.items() if name != "ExternalId"}
        answer = self.refused("AccessDenied", 403, self.sts.assume_role, **without)
        self.assertRegex(
            answer["Error"]["Message"],
            r"^User: arn:aws:iam::\d{12}:user/\S+ is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::",
        )
        self.refused("AccessDenied", 403, self.sts.assume_role, **{**self.role, "ExternalId": "another"})

    def test_what_cannot_be_entered(self):
        suspended = [a for a in accounts() if a["State"] != "ACTIVE"]
        denied = [a for a in accounts()[2:] if a["State"] == "ACTIVE" and a["Id"] not in enterable()]
        for account in suspended + denied:
            self.refused(
                "AccessDenied", 403, self.sts.assume_role, **{**self.role, "RoleArn": member_role(account["Id"])}
            )
        self.refused(
            "AccessDenied", 403, self.sts.assume_role, **{**self.role, "RoleArn": member_role("000000000000")}
        )

    def test_a_member_cannot_assume_another_members_role(self):
        member = client("sts", credentials=session(enterable()[0]))
        self.refused(
            "AccessDenied", 403, member.assume_role, **{**self.role, "RoleArn": member_role(enterable()[1])}
        )

    def test_durations(self):
        unchecked = client("sts", config=botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1}))
        self.refused("ValidationError", 400, unchecked.assume_role, **self.role, DurationSeconds=899)
        self.refused("ValidationError", 400, unchecked.assume_role, **self.role, DurationSeconds=43201)
        # Longer than the role's own MaxSessionDuration.
        self.refused("ValidationError", 400, self.sts.assume_role, **self.role, DurationSeconds=7200)
        self.sts.assume_role(**self.role, DurationSeconds=900)

    def test_shapes_of_the_input(self):
        unchecked = client("sts", config=botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1}))
        self.refused("ValidationError", 400, unchecked.assume_role, **{**self.role, "RoleSessionName": "x"})
        self.refused("ValidationError", 400, unchecked.assume_role, **{**self.role, "RoleSessionName": "no spaces"})
        self.refused("ValidationError", 400, unchecked.assume_role, RoleArn=self.role["RoleArn"])

    def test_session_policies(self):
        self.refused("MalformedPolicyDocument", 400, self.sts.assume_role, **self.role, Policy="{not json")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        answer = self.sts.assume_role(**self.role, Policy=json.dumps(policy))
        self.assertGreater(answer["PackedPolicySize"], 0)
        self.refused("ValidationError", 400, self.sts.assume_role, **self.role, Policy=json.dumps(policy) + " " * 2048)

    def test_credentials_that_are_none(self):
        unknown = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x", "SessionToken": None}
        self.refused("InvalidClientTokenId", 403, client("sts", credentials=unknown).get_caller_identity)
        wrong = {**session(enterable()[0]), "SessionToken": "another"}
        self.refused("InvalidClientTokenId", 403, client("sts", credentials=wrong).get_caller_identity)

    def test_unsigned_requests_are_refused_in_each_services_words(self):
        config = botocore.config.Config(
            signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
        )
        def unsigned(service):
            return boto3.client(service, region_name="us-east-1", endpoint_url=environment()["AWS_ENDPOINT_URL"], config=config)
        self.refused("MissingAuthenticationToken", 403, unsigned("sts").get_caller_identity)
        self.refused("AccessDenied", 403, unsigned("s3").list_buckets)
        for service, call in [
            ("organizations", lambda api: api.list_accounts),
            ("ssm", lambda api: api.describe_automation_executions),
        ]:
            self.refused("MissingAuthenticationTokenException", 400, call(unsigned(service)))


if __name__ == "__main__":
    unittest.main()
