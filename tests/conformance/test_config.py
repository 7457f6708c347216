"""AWS Config as boto3 sees it: rules, remediations and their exceptions, as far as a rollback asks for them."""

import unittest

from conformance import Case, client

RULE = {
    "ConfigRuleName": "encryption",
    "Source": {"Owner": "AWS", "SourceIdentifier": "S3_DEFAULT_ENCRYPTION_KMS"},
}
REMEDIATION = {
    "ConfigRuleName": "encryption",
    "TargetType": "SSM_DOCUMENT",
    "TargetId": "EnableS3BucketEncryptionWithKMS",
    "Automatic": True,
    "MaximumAutomaticAttempts": 5,
    "RetryAttemptSeconds": 60,
}


class Config(Case):
    def setUp(self):
        self.config = client("config")

    def test_rules_are_put_described_and_paged(self):
        for number in range(30):
            self.config.put_config_rule(ConfigRule={**RULE, "ConfigRuleName": f"rule-{number:02}"})
        pages = list(self.config.get_paginator("describe_config_rules").paginate())
        for page in pages:
            self.shape(self.config, "DescribeConfigRules", page)
        self.assertEqual(len(pages[0]["ConfigRules"]), 25)
        names = {rule["ConfigRuleName"] for page in pages for rule in page["ConfigRules"]}
        self.assertGreaterEqual(names, {f"rule-{number:02}" for number in range(30)})
        (one,) = self.config.describe_config_rules(ConfigRuleNames=["rule-07"])["ConfigRules"]
        self.assertEqual(one["ConfigRuleState"], "ACTIVE")
        self.assertIn(":config-rule/config-rule-", one["ConfigRuleArn"])

    def test_what_is_not_there_is_refused(self):
        describe, put = self.config.describe_config_rules, self.config.put_remediation_configurations
        self.refused("NoSuchConfigRuleException", 400, describe, ConfigRuleNames=["no-such-rule"])
        of_nothing = {**REMEDIATION, "ConfigRuleName": "nothing"}
        self.refused("NoSuchConfigRuleException", 400, put, RemediationConfigurations=[of_nothing])
        self.refused(
            "NoSuchRemediationConfigurationException",
            400,
            self.config.put_remediation_exceptions,
            ConfigRuleName="nothing",
            ResourceKeys=[{"ResourceType": "AWS::S3::Bucket", "ResourceId": "b"}],
        )

    def test_a_remediation_and_its_exceptions(self):
        config = self.config
        config.put_config_rule(ConfigRule=RULE)
        incomplete = {key: value for key, value in REMEDIATION.items() if key != "RetryAttemptSeconds"}
        put = config.put_remediation_configurations
        self.refused("InvalidParameterValueException", 400, put, RemediationConfigurations=[incomplete])
        self.assertEqual(put(RemediationConfigurations=[REMEDIATION])["FailedBatches"], [])
        answer = config.describe_remediation_configurations(ConfigRuleNames=["encryption"])
        self.shape(config, "DescribeRemediationConfigurations", answer)
        (found,) = answer["RemediationConfigurations"]
        self.assertEqual((found["Automatic"], found["TargetId"]), (True, REMEDIATION["TargetId"]))
        keys = [{"ResourceType": "AWS::S3::Bucket", "ResourceId": f"bucket-{number}"} for number in range(3)]
        config.put_remediation_exceptions(ConfigRuleName="encryption", ResourceKeys=keys, Message="rolled back")
        first = config.describe_remediation_exceptions(ConfigRuleName="encryption", Limit=2)
        self.shape(config, "DescribeRemediationExceptions", first)
        rest = config.describe_remediation_exceptions(ConfigRuleName="encryption", NextToken=first["NextToken"])
        ids = [exception["ResourceId"] for page in (first, rest) for exception in page["RemediationExceptions"]]
        self.assertEqual(ids, ["bucket-0", "bucket-1", "bucket-2"])
        self.refused("ResourceInUseException", 400, config.delete_config_rule, ConfigRuleName="encryption")
        config.delete_remediation_configuration(ConfigRuleName="encryption")
        config.delete_config_rule(ConfigRuleName="encryption")


if __name__ == "__main__":
    unittest.main()
