"""AWS Config: rules, remediations, exceptions, conformance packs and aggregators by botocore's own model, and a remediation
that acts; the document that undoes a seal."""

import json
import time
import unittest
import uuid

import botocore.config

from conformance import (
    CONFIG, DOCUMENT, PATIENCE_SECONDS, ROOT, Case, accounts, automation_role, buckets_of, client, control, enterable,
    member_session, session, state,
)

RESTORE = "RestoreS3BucketEncryption"
PACK = ROOT / "config" / "aws-config" / "conformance-pack-us-east-1.yaml"
REMEDIED = """
Parameters:
  KeyArn: { Type: String }
Resources:
  Kms:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: kms
      InputParameters: { kmsKeyArns: !Ref KeyArn }
      Scope: { ComplianceResourceTypes: ['AWS::S3::Bucket'] }
      Source: { Owner: AWS, SourceIdentifier: S3_DEFAULT_ENCRYPTION_KMS }
  Seals:
    Type: AWS::Config::RemediationConfiguration
    Properties:
      ConfigRuleName: kms
      TargetType: SSM_DOCUMENT
      TargetId: EnableS3BucketEncryptionWithKMS
      ResourceType: AWS::S3::Bucket
      Automatic: true
      MaximumAutomaticAttempts: 2
      RetryAttemptSeconds: 3600
      Parameters:
        BucketName: { ResourceValue: { Value: RESOURCE_ID } }
        KMSMasterKeyID: { StaticValue: { Values: [!Ref KeyArn] } }
        AutomationAssumeRole: { StaticValue: { Values: [!Sub 'arn:aws:iam::${AWS::AccountId}:role/orgseal-automation'] } }
        ExpectedBucketOwner: { StaticValue: { Values: [!Ref 'AWS::AccountId'] } }
"""
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


class Evaluations(Config):
    """What the rule says, and the whole way from drift to seal."""

    def verdict(self):
        pages = self.config.get_paginator("get_compliance_details_by_config_rule").paginate(ConfigRuleName=self.rule)
        found = {}
        for page in pages:
            self.shape(self.config, "GetComplianceDetailsByConfigRule", page)
            for result in page["EvaluationResults"]:
                found[result["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"]] = result["ComplianceType"]
        self.assertEqual(set(found), {bucket["name"] for bucket in buckets_of(self.account, self.region)})
        return found[self.bucket]

    def evaluate(self):
        def start():
            try:
                return self.config.start_config_rules_evaluation(ConfigRuleNames=[self.rule])
            except self.config.exceptions.LimitExceededException:
                return None

        self.shape(self.config, "StartConfigRulesEvaluation", self.until(start))

    def test_drift_is_found_and_sealed_again(self):
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        self.set_up(Automatic=False)
        self.assertEqual(self.verdict(), "NON_COMPLIANT")
        before = len(self.runs())
        self.evaluate()
        self.refused(
            "LimitExceededException", 400, self.config.start_config_rules_evaluation, ConfigRuleNames=[self.rule]
        )
        time.sleep(0.5)
        self.assertEqual(len(self.runs()), before, "a manual remediation does not start by itself")
        key = {"resourceType": "AWS::S3::Bucket", "resourceId": self.bucket}
        answer = self.config.start_remediation_execution(ConfigRuleName=self.rule, ResourceKeys=[key])
        self.shape(self.config, "StartRemediationExecution", answer)
        self.until(self.is_sealed)
        self.assertEqual(self.verdict(), "COMPLIANT")
        # Automatic from now on: an evaluation on demand finds what nobody changed since.
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        self.config.put_remediation_configurations(RemediationConfigurations=[self.remediation()])
        self.evaluate()
        self.until(self.is_sealed)
        self.until(lambda: [run["status"] for run in self.runs()[before:]] == ["Success"] * 2)
        answer = self.config.describe_compliance_by_config_rule(ConfigRuleNames=[self.rule])
        self.shape(self.config, "DescribeComplianceByConfigRule", answer)
        self.assertIn(answer["ComplianceByConfigRules"][0]["Compliance"]["ComplianceType"], ("COMPLIANT", "NON_COMPLIANT"))

    def test_what_is_refused(self):
        self.set_up()
        details = self.config.get_compliance_details_by_config_rule
        self.refused("NoSuchConfigRuleException", 400, details, ConfigRuleName="none")
        self.refused("ValidationException", 400, details, ConfigRuleName="x" * 65)
        self.refused("InvalidParameterValueException", 400, details, ConfigRuleName=self.rule, ComplianceTypes=["INSUFFICIENT_DATA"])
        self.refused("InvalidNextTokenException", 400, details, ConfigRuleName=self.rule, NextToken="nonsense")
        self.refused("NoSuchConfigRuleException", 400, self.config.start_config_rules_evaluation, ConfigRuleNames=["none"])
        self.refused("NoSuchConfigRuleException", 400, self.config.describe_compliance_by_config_rule, ConfigRuleNames=["none"])
        self.refused(
            "NoSuchRemediationConfigurationException", 400, self.config.start_remediation_execution,
            ConfigRuleName="none", ResourceKeys=[{"resourceType": "AWS::S3::Bucket", "resourceId": self.bucket}],
        )
        key = {"ResourceType": "AWS::S3::Bucket", "ResourceId": self.bucket}
        self.refused(
            "NoSuchRemediationExceptionException", 400, self.config.delete_remediation_exceptions,
            ConfigRuleName=self.rule, ResourceKeys=[key],
        )


class Recorders(Config):
    def test_one_is_on_in_each_region(self):
        answer = self.config.describe_configuration_recorders()
        self.shape(self.config, "DescribeConfigurationRecorders", answer)
        [recorder] = answer["ConfigurationRecorders"]
        self.assertEqual((recorder["name"], recorder["recordingGroup"]["allSupported"]), ("default", True))
        answer = self.config.describe_configuration_recorder_status(ConfigurationRecorderNames=["default"])
        self.shape(self.config, "DescribeConfigurationRecorderStatus", answer)
        self.assertTrue(answer["ConfigurationRecordersStatus"][0]["recording"])
        for operation in [self.config.describe_configuration_recorders, self.config.describe_configuration_recorder_status]:
            self.refused("NoSuchConfigurationRecorderException", 400, operation, ConfigurationRecorderNames=["other"])
            self.refused("ValidationException", 400, operation, ConfigurationRecorderNames=["default"], Arn=recorder["arn"])

    def test_it_is_stopped_and_started(self):
        self.config.stop_configuration_recorder(ConfigurationRecorderName="default")
        try:
            [status] = self.config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
            self.assertEqual((status["recording"], "lastStopTime" in status), (False, True))
        finally:
            self.config.start_configuration_recorder(ConfigurationRecorderName="default")
        [status] = self.config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
        self.assertTrue(status["recording"])
        self.refused(
            "NoSuchConfigurationRecorderException", 400, self.config.stop_configuration_recorder,
            ConfigurationRecorderName="other",
        )


class Tags(Config):
    def test_of_a_rule_a_pack_and_an_aggregator(self):
        self.config.put_config_rule(ConfigRule=kms_rule(self.rule), Tags=[{"Key": "team", "Value": "x"}])
        self.addCleanup(self.config.delete_config_rule, ConfigRuleName=self.rule)
        [rule] = self.config.describe_config_rules(ConfigRuleNames=[self.rule])["ConfigRules"]
        source = [{"AccountIds": [self.account], "AllAwsRegions": True}]
        name = {"ConfigurationAggregatorName": self.rule}
        aggregator = self.config.put_configuration_aggregator(**name, AccountAggregationSources=source, Tags=[{"Key": "team", "Value": "x"}])
        self.shape(self.config, "PutConfigurationAggregator", aggregator)
        self.addCleanup(self.config.delete_configuration_aggregator, **name)
        pack = self.config.put_conformance_pack(
            ConformancePackName=self.rule, TemplateBody=PACK.read_text(), Tags=[{"Key": "team", "Value": "x"}]
        )
        self.addCleanup(self.until, lambda: self.deleted(self.config.delete_conformance_pack, ConformancePackName=self.rule))
        for arn in [
            rule["ConfigRuleArn"], aggregator["ConfigurationAggregator"]["ConfigurationAggregatorArn"], pack["ConformancePackArn"],
        ]:
            with self.subTest(arn):
                self.config.tag_resource(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "y"}])
                tags = self.config.list_tags_for_resource(ResourceArn=arn)
                self.shape(self.config, "ListTagsForResource", tags)
                self.assertEqual(tags["Tags"], [{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "y"}])
                self.config.untag_resource(ResourceArn=arn, TagKeys=["cost"])
                self.assertEqual(self.config.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "team", "Value": "y"}])
                many = [{"Key": f"k{nth}", "Value": ""} for nth in range(50)]
                self.refused("TooManyTagsException", 400, self.config.tag_resource, ResourceArn=arn, Tags=many)
                aws = [{"Key": "aws:x", "Value": ""}]
                self.refused("ValidationException", 400, self.config.tag_resource, ResourceArn=arn, Tags=aws)
                self.refused("ResourceNotFoundException", 400, self.config.list_tags_for_resource, ResourceArn=arn + "x")

    def deleted(self, delete, **name):
        try:
            delete(**name)
        except self.config.exceptions.ResourceInUseException:
            return False
        return True


class Packs(Config):
    """Conformance packs, of an account and of the organization."""

    def setUp(self):
        super().setUp()
        management = {**state()["management_credentials"], "SessionToken": None}
        self.admin = client("config", self.region, management)
        self.name = f"p-{uuid.uuid4().hex[:8]}"

    def others(self):
        return [account["Id"] for account in accounts() if account["Id"] != self.account]

    def put(self, admin=None, **arguments):
        admin = admin or self.admin
        answer = admin.put_organization_conformance_pack(OrganizationConformancePackName=self.name, **arguments)
        self.shape(admin, "PutOrganizationConformancePack", answer)
        self.settled(admin)

    def settled(self, admin):
        def status():
            answer = admin.describe_organization_conformance_pack_statuses(OrganizationConformancePackNames=[self.name])
            self.shape(admin, "DescribeOrganizationConformancePackStatuses", answer)
            [shown] = answer["OrganizationConformancePackStatuses"]
            return None if shown["Status"].endswith("IN_PROGRESS") else shown["Status"]

        return self.until(status)

    def take_away(self, admin=None):
        admin = admin or self.admin
        admin.delete_organization_conformance_pack(OrganizationConformancePackName=self.name)

        def gone():
            try:
                admin.describe_organization_conformance_packs(OrganizationConformancePackNames=[self.name])
            except admin.exceptions.NoSuchOrganizationConformancePackException:
                return True

        self.until(gone)

    def test_the_shipped_pack_is_put_in_every_active_account(self):
        excluded = enterable()[7]
        # The delegated administrator's.
        admin = client("config", self.region, session(accounts()[1]["Id"]))
        self.put(admin, TemplateBody=PACK.read_text(), ExcludedAccounts=[excluded])
        self.addCleanup(self.take_away, admin)
        self.assertEqual(self.settled(admin), "CREATE_SUCCESSFUL")
        pages = admin.get_paginator("get_organization_conformance_pack_detailed_status").paginate(
            OrganizationConformancePackName=self.name, PaginationConfig={"PageSize": 20}
        )
        found = {}
        for page in pages:
            self.shape(admin, "GetOrganizationConformancePackDetailedStatus", page)
            found.update((one["AccountId"], one["Status"]) for one in page["OrganizationConformancePackDetailedStatuses"])
        active = {account["Id"] for account in accounts() if account["State"] == "ACTIVE"} - {excluded}
        self.assertEqual(found, dict.fromkeys(active, "CREATE_SUCCESSFUL"))
        answer = admin.describe_organization_conformance_packs(OrganizationConformancePackNames=[self.name])
        self.shape(admin, "DescribeOrganizationConformancePacks", answer)
        self.assertEqual(answer["OrganizationConformancePacks"][0]["ExcludedAccounts"], [excluded])
        rules = [
            rule for page in self.config.get_paginator("describe_config_rules").paginate() for rule in page["ConfigRules"]
            if rule.get("CreatedBy") == "config-conforms.amazonaws.com"
        ]
        self.assertEqual(len(rules), 1)
        self.assertRegex(rules[0]["ConfigRuleName"], r"^s3-default-encryption-kms-conformance-pack-[a-z0-9]{9}$")
        details = self.config.get_compliance_details_by_config_rule(ConfigRuleName=rules[0]["ConfigRuleName"], Limit=100)
        self.assertEqual(len(details["EvaluationResults"]), len(buckets_of(self.account, self.region)))
        self.refused("AccessDeniedException", 400, self.config.delete_config_rule, ConfigRuleName=rules[0]["ConfigRuleName"])

    def test_a_pack_with_a_remediation_acts_and_no_exception_is_taken(self):
        given = [{"ParameterName": "KeyArn", "ParameterValue": self.key}]
        self.put(TemplateBody=REMEDIED, ConformancePackInputParameters=given, ExcludedAccounts=self.others())
        self.addCleanup(self.take_away)
        before = len(self.runs())
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        self.until(self.is_sealed)
        self.until(lambda: [run["status"] for run in self.runs()[before:]] == ["Success"])
        [rule] = [rule["ConfigRuleName"] for rule in self.config.describe_config_rules()["ConfigRules"] if rule.get("CreatedBy")]
        key = {"ResourceType": "AWS::S3::Bucket", "ResourceId": self.bucket}
        self.refused(
            "InvalidParameterValueException", 400, self.config.put_remediation_exceptions, ConfigRuleName=rule, ResourceKeys=[key]
        )

    def test_what_is_refused(self):
        put = self.admin.put_organization_conformance_pack
        name = {"OrganizationConformancePackName": self.name}
        body = {"TemplateBody": PACK.read_text()}
        self.refused("OrganizationAccessDeniedException", 400, self.config.put_organization_conformance_pack, **name, **body)
        self.refused("ValidationException", 400, put, **name)
        self.refused("ValidationException", 400, put, OrganizationConformancePackName="1st", **body)
        self.refused("ValidationException", 400, put, **name, **body, ExcludedAccounts=["alpha"])
        self.refused("ValidationException", 400, put, **name, **body, DeliveryS3Bucket="mine")
        template = "OrganizationConformancePackTemplateValidationException"
        self.refused(template, 400, put, **name, TemplateBody="nothing")
        self.refused(template, 400, put, **name, TemplateBody=body["TemplateBody"].replace("ConfigRule\n", "Other\n"))
        self.refused(template, 400, put, **name, TemplateBody=REMEDIED)
        self.refused(template, 400, put, **name, **body, ConformancePackInputParameters=[{"ParameterName": "x", "ParameterValue": "y"}])
        unknown = "NoSuchOrganizationConformancePackException"
        self.refused(unknown, 400, self.admin.delete_organization_conformance_pack, **name)
        self.refused(unknown, 400, self.admin.get_organization_conformance_pack_detailed_status, **name)
        self.refused(unknown, 400, self.admin.describe_organization_conformance_packs, OrganizationConformancePackNames=[self.name])
        self.refused("InvalidLimitException", 400, self.admin.describe_organization_conformance_packs, Limit=101)
        self.refused("InvalidNextTokenException", 400, self.admin.describe_organization_conformance_packs, NextToken="nonsense")
        put = self.config.put_conformance_pack
        self.refused("InvalidParameterValueException", 400, put, ConformancePackName=self.name)
        self.refused("ConformancePackTemplateValidationException", 400, put, ConformancePackName=self.name, TemplateBody="nothing")
        self.refused("NoSuchConformancePackException", 400, self.config.describe_conformance_packs, ConformancePackNames=[self.name])
        self.refused("NoSuchConformancePackException", 400, self.config.delete_conformance_pack, ConformancePackName=self.name)
        self.refused("InvalidLimitException", 400, self.config.describe_conformance_pack_status, Limit=21)

    def test_a_pack_of_one_account(self):
        name = {"ConformancePackName": self.name}
        body = {"TemplateBody": PACK.read_text()}
        self.shape(self.config, "PutConformancePack", self.config.put_conformance_pack(**name, **body))

        def refused_meanwhile():
            # A busy machine may come too late for one.
            try:
                self.config.put_conformance_pack(**name, **body)
            except self.config.exceptions.ResourceInUseException:
                return True

        self.until(refused_meanwhile)

        def status():
            answer = self.config.describe_conformance_pack_status(ConformancePackNames=[self.name])
            self.shape(self.config, "DescribeConformancePackStatus", answer)
            return [one["ConformancePackState"] for one in answer["ConformancePackStatusDetails"]]

        self.until(lambda: status() in (["CREATE_COMPLETE"], ["UPDATE_COMPLETE"]))
        answer = self.config.describe_conformance_packs(ConformancePackNames=[self.name], Filters={"Types": ["CUSTOM"]})
        self.shape(self.config, "DescribeConformancePacks", answer)
        [pack] = answer["ConformancePackDetails"]
        self.assertNotIn("CreatedBy", pack)
        self.config.delete_conformance_pack(**name)
        self.until(lambda: status() == [])


class Aggregators(Config):
    def setUp(self):
        super().setUp()
        management = {**state()["management_credentials"], "SessionToken": None}
        self.admin = client("config", self.region, management)
        self.name = {"ConfigurationAggregatorName": f"a-{uuid.uuid4().hex[:8]}"}
        self.source = {"RoleArn": f"arn:aws:iam::{accounts()[0]['Id']}:role/config", "AllAwsRegions": True}

    def of_all(self):
        answer = self.admin.put_configuration_aggregator(**self.name, OrganizationAggregationSource=self.source)
        self.shape(self.admin, "PutConfigurationAggregator", answer)
        self.addCleanup(self.admin.delete_configuration_aggregator, **self.name)

    def select(self, expression, **page):
        pages = self.admin.get_paginator("select_aggregate_resource_config").paginate(
            **self.name, Expression=expression, PaginationConfig=page
        )
        found = []
        for page in pages:
            self.shape(self.admin, "SelectAggregateResourceConfig", page)
            found += [json.loads(result) for result in page["Results"]]
        return found

    def test_a_query_over_the_organization(self):
        self.of_all()
        query = "SELECT resourceId, accountId, awsRegion WHERE resourceType = 'AWS::S3::Bucket'"
        found = self.select(query, PageSize=100)
        active = {account["Id"] for account in accounts() if account["State"] == "ACTIVE"}
        names = {one["resourceId"] for one in found}
        self.assertEqual(len(names), len(found))
        self.assertEqual({one["accountId"] for one in found} - active, set())
        self.assertEqual(names, {bucket["name"] for bucket in control("state")["buckets"] if bucket["account"] in active})
        mine = self.select(f"{query} AND accountId = '{self.account}' AND awsRegion = '{self.region}'")
        self.assertLessEqual({bucket["name"] for bucket in buckets_of(self.account, self.region)}, {one["resourceId"] for one in mine})
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        path = "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules.applyServerSideEncryptionByDefault.sseAlgorithm"
        [one] = self.select(f"SELECT {path} WHERE resourceType = 'AWS::S3::Bucket' AND resourceId = '{self.bucket}' AND {path} = 'AES256'")
        rules = one["supplementaryConfiguration"]["ServerSideEncryptionConfiguration"]["rules"]
        self.assertEqual(rules, [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}])

    def test_compliance_over_the_organization(self):
        self.config.put_config_rule(ConfigRule=kms_rule(self.rule))
        self.addCleanup(self.config.delete_config_rule, ConfigRuleName=self.rule)
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=sse_s3())
        self.of_all()
        answer = self.admin.describe_aggregate_compliance_by_config_rules(**self.name, Filters={"ConfigRuleName": self.rule})
        self.shape(self.admin, "DescribeAggregateComplianceByConfigRules", answer)
        [shown] = answer["AggregateComplianceByConfigRules"]
        self.assertEqual((shown["AccountId"], shown["AwsRegion"]), (self.account, self.region))
        self.assertEqual(shown["Compliance"]["ComplianceType"], "NON_COMPLIANT")
        answer = self.admin.get_aggregate_compliance_details_by_config_rule(
            **self.name, ConfigRuleName=self.rule, AccountId=self.account, AwsRegion=self.region, ComplianceType="NON_COMPLIANT",
            Limit=100,
        )
        self.shape(self.admin, "GetAggregateComplianceDetailsByConfigRule", answer)
        found = [
            one["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"] for one in answer["AggregateEvaluationResults"]
        ]
        self.assertIn(self.bucket, found)
        self.assertEqual(shown["Compliance"]["ComplianceContributorCount"]["CappedCount"], len(found))

    def test_what_is_refused(self):
        put = self.admin.put_configuration_aggregator
        organization = {"OrganizationAggregationSource": self.source}
        some = {"AccountAggregationSources": [{"AccountIds": [self.account], "AwsRegions": [self.region]}]}
        self.refused("OrganizationAccessDeniedException", 400, self.config.put_configuration_aggregator, **self.name, **organization)
        self.refused("InvalidParameterValueException", 400, put, **self.name)
        self.refused("InvalidParameterValueException", 400, put, **self.name, **organization, **some)
        nobody = {"OrganizationAggregationSource": {**self.source, "RoleArn": ""}}
        self.refused("InvalidRoleException", 400, put, **self.name, **nobody)
        both = {"OrganizationAggregationSource": {**self.source, "AwsRegions": [self.region]}}
        self.refused("InvalidParameterValueException", 400, put, **self.name, **both)
        moon = {"AccountAggregationSources": [{"AccountIds": [self.account], "AwsRegions": ["moon-1"]}]}
        self.refused("InvalidParameterValueException", 400, put, **self.name, **moon)
        unknown = "NoSuchConfigurationAggregatorException"
        self.refused(unknown, 400, self.admin.delete_configuration_aggregator, **self.name)
        self.refused(unknown, 400, self.admin.describe_aggregate_compliance_by_config_rules, **self.name)
        select = self.admin.select_aggregate_resource_config
        query = "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket'"
        self.refused(unknown, 400, select, **self.name, Expression=query)
        self.of_all()
        for wrong in ["SELECT", "SELECT COUNT(*)", f"{query} OR accountId = '1'", "SELECT resourceId WHERE accountId = '1'"]:
            self.refused("InvalidExpressionException", 400, select, **self.name, Expression=wrong)
        self.refused("InvalidLimitException", 400, select, **self.name, Expression=query, Limit=101)
        self.refused("InvalidNextTokenException", 400, select, **self.name, Expression=query, NextToken="nonsense")
        answer = self.admin.describe_configuration_aggregators(**{"ConfigurationAggregatorNames": list(self.name.values())})
        self.shape(self.admin, "DescribeConfigurationAggregators", answer)
        self.refused(
            unknown, 400, self.admin.describe_configuration_aggregators, ConfigurationAggregatorNames=["none"]
        )


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
                else:
                    # The blocked types stay where a put omits them.
                    wanted["BlockedEncryptionTypes"] = self.rule_on_bucket()["BlockedEncryptionTypes"]
                with self.subTest(algorithm=algorithm, key=key, blocked=blocked):
                    started = member.start_automation_execution(DocumentName=RESTORE, Parameters=parameters)
                    execution = self.until_ended(self.ssm, started["AutomationExecutionId"])
                    self.assertEqual(execution["AutomationExecutionStatus"], "Success", execution.get("FailureMessage"))
                    self.assertEqual(execution["Outputs"]["ReadBack.SSEAlgorithm"], [algorithm])
                    self.assertEqual(self.rule_on_bucket(), wanted)


if __name__ == "__main__":
    unittest.main()
