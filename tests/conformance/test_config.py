"""AWS Config: rules, remediations and exceptions by botocore's own model, and a remediation that acts; the document that
undoes a seal."""

import time
import unittest
import uuid

import botocore.config

from conformance import (
    CONFIG, DOCUMENT, PATIENCE_SECONDS, Case, automation_role, buckets_of, client, control, enterable, member_session, session,
)

RESTORE = "RestoreS3BucketEncryption"
UNCHECKED = CONFIG.merge(botocore.config.Config(parameter_validation=False))


def kms_rule(name, **others):
    return {"ConfigRuleName": name, "Source": {"Owner": "AWS", "SourceIdentifier": "S3_DEFAULT_ENCRYPTION_KMS"}, **others}


def sse_s3():
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}


class Config(Case):
    region = "eu-west-1"

    def setUp(self):
        self.account = enterable()[6]
        keys = session(self.account)
        self.config = client("config", self.region, keys)
        self.s3 = client("s3", self.region, keys)
        self.ssm = client("ssm", self.region, keys)
        self.bucket = buckets_of(self.account, self.region)[0]["name"]
        self.key = client("kms", self.region).describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]
        self.rule = f"conformance-{uuid.uuid4().hex[:12]}"

    def remediation(self, **others):
        def fixed(value):
            return {"StaticValue": {"Values": [value]}}

        return {
            "ConfigRuleName": self.rule,
            "TargetType": "SSM_DOCUMENT",
            "TargetId": DOCUMENT,
            "ResourceType": "AWS::S3::Bucket",
            "Automatic": True,
            "MaximumAutomaticAttempts": 2,
            "RetryAttemptSeconds": 3600,
            "Parameters": {
                "BucketName": {"ResourceValue": {"Value": "RESOURCE_ID"}},
                "KMSMasterKeyID": fixed(self.key),
                "AutomationAssumeRole": fixed(automation_role(self.account)),
                "ExpectedBucketOwner": fixed(self.account),
            },
            **others,
        }

    def set_up(self, **others):
        self.shape(self.config, "PutConfigRule", self.config.put_config_rule(ConfigRule=kms_rule(self.rule)))
        self.addCleanup(self.clean_up)
        answer = self.config.put_remediation_configurations(RemediationConfigurations=[self.remediation(**others)])
        self.shape(self.config, "PutRemediationConfigurations", answer)
        self.assertEqual(answer["FailedBatches"], [])

    def clean_up(self):
        for _ in range(200):
            try:
                self.config.delete_remediation_configuration(ConfigRuleName=self.rule)
            except self.config.exceptions.RemediationInProgressException:
                time.sleep(0.05)
                continue
            except self.config.exceptions.NoSuchRemediationConfigurationException:
                pass
            break
        self.shape(self.config, "DeleteConfigRule", self.config.delete_config_rule(ConfigRuleName=self.rule))

    def until(self, what):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.05)
        self.fail("it does not come about")

    def rule_on_bucket(self):
        answer = self.s3.get_bucket_encryption(Bucket=self.bucket)
        return answer["ServerSideEncryptionConfiguration"]["Rules"][0]

    def is_sealed(self):
        return self.rule_on_bucket()["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID") == self.key

    def runs(self):
        """Executions that remediations started for the bucket."""
        return [
            run for run in control("executions")["executions"]
            if run["parameters"].get("BucketName") == [self.bucket]
            and "AWSServiceRoleForConfigRemediation" in run["executed_by"]
        ]


class Rules(Config):
    def test_pages(self):
        names = [f"page-{self.rule}-{nth:02}" for nth in range(30)]
        for name in names:
            self.config.put_config_rule(ConfigRule=kms_rule(name), Tags=[{"Key": "team", "Value": "x"}])
        try:
            first = self.config.describe_config_rules()
            self.shape(self.config, "DescribeConfigRules", first)
            self.assertEqual((len(first["ConfigRules"]), "NextToken" in first), (25, True))
            pages = self.config.get_paginator("describe_config_rules").paginate()
            found = [rule["ConfigRuleName"] for page in pages for rule in page["ConfigRules"]]
            self.assertLessEqual(set(names), set(found))
            self.assertEqual(len(found), len(set(found)))
            some = self.config.describe_config_rules(ConfigRuleNames=names[:3])["ConfigRules"]
            self.assertEqual([rule["ConfigRuleName"] for rule in some], names[:3])
            self.assertEqual({rule["ConfigRuleState"] for rule in some}, {"ACTIVE"})
        finally:
            for name in names:
                self.config.delete_config_rule(ConfigRuleName=name)

    def test_what_is_refused(self):
        put = self.config.put_config_rule
        self.refused("InvalidParameterValueException", 400, put, ConfigRule=kms_rule(self.rule, InputParameters="{"))
        self.refused("InvalidParameterValueException", 400, put, ConfigRule={"ConfigRuleName": self.rule, "Source": {"Owner": "AWS"}})
        self.refused("ValidationException", 400, put, ConfigRule=kms_rule(self.rule, Source={"Owner": "ME"}))
        self.refused("NoSuchConfigRuleException", 400, self.config.describe_config_rules, ConfigRuleNames=[self.rule])
        self.refused("NoSuchConfigRuleException", 400, self.config.delete_config_rule, ConfigRuleName=self.rule)
        self.refused("InvalidNextTokenException", 400, self.config.describe_config_rules, NextToken="nonsense")
        many = [f"r{nth}" for nth in range(26)]
        self.refused("ValidationException", 400, self.config.describe_config_rules, ConfigRuleNames=many)
        self.refused("ValidationException", 400, self.config.describe_remediation_configurations, ConfigRuleNames=many)
        unchecked = client("config", self.region, session(self.account), UNCHECKED)
        self.refused("ValidationException", 400, unchecked.describe_remediation_configurations)
        self.refused("ValidationException", 400, unchecked.put_config_rule, ConfigRule={"ConfigRuleName": self.rule})

    def test_the_member_role_may_look_and_no_more(self):
        member = client("config", self.region, member_session(self.account))
        self.shape(member, "DescribeConfigRules", member.describe_config_rules())
        member.describe_remediation_configurations(ConfigRuleNames=[self.rule])
        member.describe_remediation_exceptions(ConfigRuleName=self.rule)
        self.refused("AccessDeniedException", 400, member.put_config_rule, ConfigRule=kms_rule(self.rule))


class Remediations(Config):
    def test_what_is_put_is_described(self):
        self.set_up()
        answer = self.config.describe_remediation_configurations(ConfigRuleNames=[self.rule, "no-such-rule"])
        self.shape(self.config, "DescribeRemediationConfigurations", answer)
        [shown] = answer["RemediationConfigurations"]
        arn = shown.pop("Arn")
        self.assertTrue(arn.startswith(f"arn:aws:config:{self.region}:{self.account}:remediation-configuration/{self.rule}/"), arn)
        self.assertEqual(shown, self.remediation())
        self.refused("ResourceInUseException", 400, self.config.delete_config_rule, ConfigRuleName=self.rule)
        answer = self.config.delete_remediation_configuration(ConfigRuleName=self.rule)
        self.shape(self.config, "DeleteRemediationConfiguration", answer)
        self.refused(
            "NoSuchRemediationConfigurationException", 400, self.config.delete_remediation_configuration,
            ConfigRuleName=self.rule,
        )

    def test_what_is_refused(self):
        put = self.config.put_remediation_configurations
        self.refused("InvalidParameterValueException", 400, put, RemediationConfigurations=[self.remediation()])
        self.set_up()
        for wrong in [{"TargetId": "Nothing"}, {"Parameters": {}}]:
            self.refused("InvalidParameterValueException", 400, put, RemediationConfigurations=[self.remediation(**wrong)])
        self.refused("ValidationException", 400, put, RemediationConfigurations=[self.remediation(MaximumAutomaticAttempts=26)])
        self.refused("ValidationException", 400, put, RemediationConfigurations=[self.remediation()] * 26)

    def test_a_bucket_is_sealed_again_after_a_put_and_after_a_delete(self):
        self.set_up()
        before = len(self.runs())
        for nth, change in enumerate([
            lambda: self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3()),
            lambda: self.s3.delete_bucket_encryption(Bucket=self.bucket),
        ], 1):
            change()
            self.until(self.is_sealed)
            self.until(lambda: [run["status"] for run in self.runs()[before:]] == ["Success"] * nth)
        run = self.runs()[-1]
        seen = self.ssm.get_automation_execution(AutomationExecutionId=run["id"])["AutomationExecution"]
        self.assertEqual((seen["DocumentName"], seen["Parameters"]["BucketName"]), (DOCUMENT, [self.bucket]))

    def test_a_bucket_with_an_exception_is_left_alone(self):
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        self.set_up()
        key = {"ResourceType": "AWS::S3::Bucket", "ResourceId": self.bucket}
        answer = self.config.put_remediation_exceptions(ConfigRuleName=self.rule, ResourceKeys=[key], Message="ours")
        self.shape(self.config, "PutRemediationExceptions", answer)
        self.assertEqual(answer["FailedBatches"], [])
        shown = self.config.describe_remediation_exceptions(ConfigRuleName=self.rule)
        self.shape(self.config, "DescribeRemediationExceptions", shown)
        self.assertEqual(shown["RemediationExceptions"], [{"ConfigRuleName": self.rule, **key, "Message": "ours"}])
        before = len(self.runs())
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        time.sleep(1)
        self.assertEqual(len(self.runs()), before)

    def test_attempts_that_fail_end_in_an_exception(self):
        parameters = self.remediation()["Parameters"]
        parameters["ExpectedBucketOwner"] = {"StaticValue": {"Values": ["999999999999"]}}
        self.set_up(Parameters=parameters)
        before = len(self.runs())
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        exceptions = self.until(
            lambda: self.config.describe_remediation_exceptions(ConfigRuleName=self.rule)["RemediationExceptions"]
        )
        self.assertEqual(exceptions[0]["ResourceId"], self.bucket)
        self.assertEqual([run["status"] for run in self.runs()[before:]], ["Failed", "Failed"])


class Restoring(Config):
    """The counterpart of the document that seals."""

    def test_every_combination_of_key_and_blocked_type(self):
        member = client("ssm", self.region, member_session(self.account))
        for algorithm, key in [("AES256", None), ("aws:kms", None), ("aws:kms", "alias/team-key"), ("aws:kms:dsse", self.key)]:
            for blocked in [None, "SSE-C", "NONE"]:
                parameters = {
                    "BucketName": [self.bucket],
                    "AutomationAssumeRole": [automation_role(self.account)],
                    "ExpectedBucketOwner": [self.account],
                    "SSEAlgorithm": [algorithm],
                    "BucketKeyEnabled": ["true" if key else "false"],
                }
                wanted = {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm},
                    "BucketKeyEnabled": bool(key),
                }
                if key:
                    parameters["KMSMasterKeyID"] = [key]
                    wanted["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = key
                if blocked:
                    parameters["BlockedEncryptionType"] = [blocked]
                    wanted["BlockedEncryptionTypes"] = {"EncryptionType": [blocked]}
                with self.subTest(algorithm=algorithm, key=key, blocked=blocked):
                    started = member.start_automation_execution(DocumentName=RESTORE, Parameters=parameters)
                    execution = self.until_ended(self.ssm, started["AutomationExecutionId"])
                    self.assertEqual(execution["AutomationExecutionStatus"], "Success", execution.get("FailureMessage"))
                    self.assertEqual(execution["Outputs"]["ReadBack.SSEAlgorithm"], [algorithm])
                    self.assertEqual(self.rule_on_bucket(), wanted)


if __name__ == "__main__":
    unittest.main()
