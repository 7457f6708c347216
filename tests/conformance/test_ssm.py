"""Systems Manager: documents and their sharing, executions from start to every kind of end, quotas."""

import collections
import datetime
import hashlib
import json
import time
import unittest
import uuid

import botocore.config

from conformance import (
    CONFIG, DOCUMENT, ROOT, Case, automation_role, buckets_of, client, control, enterable, session, state,
)

SLEEPER = json.dumps({
    "schemaVersion": "0.3",
    "parameters": {"Note": {"type": "String", "default": "none"}},
    "mainSteps": [{"name": "Sleep", "action": "aws:sleep", "inputs": {"Duration": "PT5000H"}, "isEnd": True}],
})


def central_key(region):
    return client("kms", region).describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["Arn"]


class Ssm(Case):
    def setUp(self):
        self.account = enterable()[4]
        self.ssm = client("ssm", "us-east-1", session(self.account))
        self.s3 = client("s3", "us-east-1", session(self.account))
        self.bucket = buckets_of(self.account, "us-east-1")[0]["name"]
        self.key = central_key("us-east-1")

    def parameters(self, **others):
        given = {
            "BucketName": [self.bucket],
            "KMSMasterKeyID": [self.key],
            "AutomationAssumeRole": [automation_role(self.account)],
            "ExpectedBucketOwner": [self.account],
        }
        given.update({name: [value] for name, value in others.items()})
        return given

    def start(self, ssm=None, **arguments):
        ssm = ssm or self.ssm
        arguments.setdefault("DocumentName", DOCUMENT)
        answer = ssm.start_automation_execution(**arguments)
        self.shape(ssm, "StartAutomationExecution", answer)
        return answer["AutomationExecutionId"]

    def create(self, ssm, content, document_format="JSON", **arguments):
        name = f"Conformance-{uuid.uuid4().hex[:12]}"
        answer = ssm.create_document(
            Name=name, Content=content, DocumentType="Automation", DocumentFormat=document_format, **arguments
        )
        self.shape(ssm, "CreateDocument", answer)
        return name


class Documents(Ssm):
    def test_the_deployed_document(self):
        answer = self.ssm.describe_document(Name=DOCUMENT)
        self.shape(self.ssm, "DescribeDocument", answer)
        document = answer["Document"]
        content = (ROOT / "config/documents/EnableS3BucketEncryptionWithKMS.yaml").read_text()
        self.assertEqual((document["HashType"], document["Hash"]), ("Sha256", hashlib.sha256(content.encode()).hexdigest()))
        self.assertEqual((document["Owner"], document["DocumentVersion"], document["SchemaVersion"]), (self.account, "1", "0.3"))
        self.assertLessEqual({"BucketName", "KMSMasterKeyID", "AutomationAssumeRole"}, {p["Name"] for p in document["Parameters"]})
        read = self.ssm.get_document(Name=DOCUMENT)
        self.shape(self.ssm, "GetDocument", read)
        self.assertEqual((json.loads(read["Content"])["schemaVersion"], read["DocumentFormat"]), ("0.3", "JSON"))
        as_yaml = self.ssm.get_document(Name=DOCUMENT, DocumentFormat="YAML")
        self.assertEqual((as_yaml["Content"], as_yaml["DocumentFormat"]), (content, "YAML"))

    def test_versions(self):
        name = self.create(self.ssm, SLEEPER, VersionName="first")
        self.refused("DocumentAlreadyExists", 400, self.ssm.create_document, Name=name, Content=SLEEPER, DocumentType="Automation")
        self.refused("DuplicateDocumentContent", 400, self.ssm.update_document, Name=name, Content=SLEEPER, DocumentVersion="$LATEST")
        self.refused("InvalidDocumentVersion", 400, self.ssm.update_document, Name=name, Content=SLEEPER + " ", DocumentVersion="7")
        answer = self.ssm.update_document(Name=name, Content=SLEEPER + " ", DocumentVersion="$LATEST", VersionName="second")
        self.shape(self.ssm, "UpdateDocument", answer)
        described = answer["DocumentDescription"]
        self.assertEqual((described["DocumentVersion"], described["LatestVersion"], described["DefaultVersion"]), ("2", "2", "1"))
        self.assertEqual(self.ssm.describe_document(Name=name)["Document"]["DocumentVersion"], "1")
        self.assertEqual(self.ssm.describe_document(Name=name, VersionName="second")["Document"]["DocumentVersion"], "2")
        self.assertEqual(self.ssm.get_document(Name=name, DocumentVersion="$LATEST")["Content"], SLEEPER + " ")
        self.refused("InvalidDocumentVersion", 400, self.ssm.get_document, Name=name, DocumentVersion="3")

    def test_content_that_cannot_run_is_refused(self):
        for content, code in [
            ("{", "InvalidDocumentContent"),
            (json.dumps({"schemaVersion": "2.2", "mainSteps": []}), "InvalidDocumentSchemaVersion"),
            (json.dumps({"schemaVersion": "0.3", "mainSteps": []}), "InvalidDocumentContent"),
            (SLEEPER + " " * 65536, "MaxDocumentSizeExceeded"),
        ]:
            self.refused(code, 400, self.ssm.create_document, Name="Conformance-never", Content=content, DocumentType="Automation")
        self.refused("InvalidDocument", 400, self.ssm.get_document, Name="Conformance-never")
        self.refused("InvalidDocument", 400, self.ssm.update_document, Name="Conformance-never", Content=SLEEPER, DocumentVersion="$LATEST")

    def test_what_belongs_to_a_document(self):
        name = self.create(self.ssm, SLEEPER, TargetType="/AWS::S3::Bucket", Tags=[{"Key": "a", "Value": "b"}])
        document = self.ssm.describe_document(Name=name)["Document"]
        self.assertEqual((document["TargetType"], document["Tags"]), ("/AWS::S3::Bucket", [{"Key": "a", "Value": "b"}]))
        on = {"ResourceType": "Document", "ResourceId": name}
        self.ssm.add_tags_to_resource(Tags=[{"Key": "c", "Value": "d"}], **on)
        self.ssm.remove_tags_from_resource(TagKeys=["a"], **on)
        answer = self.ssm.list_tags_for_resource(**on)
        self.shape(self.ssm, "ListTagsForResource", answer)
        self.assertEqual(answer["TagList"], [{"Key": "c", "Value": "d"}])
        self.ssm.update_document(Name=name, Content=SLEEPER + " ", DocumentVersion="1", TargetType="/")
        answer = self.ssm.update_document_default_version(Name=name, DocumentVersion="2")
        self.shape(self.ssm, "UpdateDocumentDefaultVersion", answer)
        listed = self.ssm.list_documents(Filters=[{"Key": "TargetType", "Values": ["/"]}])
        self.shape(self.ssm, "ListDocuments", listed)
        self.assertIn((name, "2"), [(d["Name"], d["DocumentVersion"]) for d in listed["DocumentIdentifiers"]])
        versions = self.ssm.list_document_versions(Name=name)
        self.shape(self.ssm, "ListDocumentVersions", versions)
        self.assertEqual([v["IsDefaultVersion"] for v in versions["DocumentVersions"]], [True, False])
        share = {"Name": name, "PermissionType": "Share"}
        self.refused("ValidationException", 400, self.ssm.modify_document_permission, **share)
        self.ssm.modify_document_permission(AccountIdsToAdd=[enterable()[5]], **share)
        shared = self.ssm.describe_document_permission(**share)
        self.shape(self.ssm, "DescribeDocumentPermission", shared)
        self.assertEqual(shared["AccountIds"], [enterable()[5]])
        self.refused("InvalidDocumentOperation", 400, self.ssm.delete_document, Name=name)
        self.ssm.modify_document_permission(AccountIdsToRemove=[enterable()[5]], **share)
        self.ssm.delete_document(Name=name)
        missing = json.dumps({"schemaVersion": "0.3", "mainSteps": [{"name": "Nap", "action": "aws:sleep", "inputs": {}}]})
        self.refused("InvalidDocumentContent", 400, self.ssm.create_document, Name=name, Content=missing, DocumentType="Automation")

    def test_sharing(self):
        name = self.create(self.ssm, SLEEPER)
        arn = f"arn:aws:ssm:us-east-1:{self.account}:document/{name}"
        friend = client("ssm", "us-east-1", session(enterable()[5]))
        self.refused("InvalidDocument", 400, friend.get_document, Name=arn)
        self.refused("AutomationDefinitionNotFoundException", 400, friend.start_automation_execution, DocumentName=arn)
        self.ssm.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToAdd=[enterable()[5]])
        self.assertEqual(friend.describe_document(Name=arn)["Document"]["Owner"], self.account)
        abroad = client("ssm", "eu-west-1", session(enterable()[5]))
        self.refused("InvalidDocument", 400, abroad.get_document, Name=arn)
        execution = self.start(friend, DocumentName=arn)
        friend.stop_automation_execution(AutomationExecutionId=execution)
        self.ssm.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToRemove=[enterable()[5]])
        self.refused("InvalidDocument", 400, friend.get_document, Name=arn)
        many = [f"{number:012}" for number in range(21)]
        unchecked = client("ssm", "us-east-1", session(self.account), CONFIG.merge(botocore.config.Config(parameter_validation=False)))
        self.refused("ValidationException", 400, unchecked.modify_document_permission, Name=name, PermissionType="Share", AccountIdsToAdd=many)


class Executions(Ssm):
    def test_success_changes_the_bucket(self):
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        execution_id = self.start(Parameters=self.parameters(BlockedEncryptionType="SSE-C"))
        execution = self.until_ended(self.ssm, execution_id)
        self.assertEqual(execution["AutomationExecutionStatus"], "Success", execution.get("FailureMessage"))
        self.assertEqual(execution["Outputs"]["ReadBack.KMSMasterKeyID"], [self.key])
        self.assertEqual(execution["Parameters"]["SSEAlgorithm"], ["aws:kms"])
        self.assertTrue(execution["ExecutedBy"].endswith("assumed-role/OrganizationAccountAccessRole/conformance"))
        steps = {step["StepName"]: step["StepStatus"] for step in execution["StepExecutions"]}
        self.assertEqual(steps["PutBucketEncryptionWithBlockedType"], "Success")
        self.assertEqual(steps["PutBucketEncryption"], "Pending")
        read = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(read, [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key},
            "BucketKeyEnabled": True,
            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        }])

    def test_failure_is_explained_and_changes_nothing(self):
        foreign = buckets_of(enterable()[5], "us-east-1")[0]["name"]
        execution = self.until_ended(self.ssm, self.start(Parameters=self.parameters(BucketName=foreign)))
        self.assertEqual(execution["AutomationExecutionStatus"], "Failed")
        self.assertIn("AccessDenied", execution["FailureMessage"])
        self.assertIn("PutBucketEncryption", execution["FailureMessage"])
        failed = [s for s in execution["StepExecutions"] if s["StepStatus"] == "Failed"]
        self.assertEqual([s["StepName"] for s in failed], ["PutBucketEncryption"])
        self.assertIn("AccessDenied", failed[0]["FailureMessage"])

    def test_the_original_document(self):
        content = (ROOT / "config/documents/original-three-parameters.yaml").read_text()
        name = self.create(self.ssm, content, "YAML")
        given = {k: v for k, v in self.parameters().items() if k != "ExpectedBucketOwner"}
        execution = self.until_ended(self.ssm, self.start(DocumentName=name, Parameters=given))
        self.assertEqual(execution["AutomationExecutionStatus"], "Success")
        read = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(read["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"], self.key)
        self.assertFalse(read["BucketKeyEnabled"])

    def test_a_document_that_does_nothing_changes_nothing(self):
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        name = self.create(self.ssm, json.dumps({
            "schemaVersion": "0.3",
            "parameters": {"BucketName": {"type": "String"}},
            "mainSteps": [{"name": "Nap", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}],
        }))
        execution = self.until_ended(self.ssm, self.start(DocumentName=name, Parameters={"BucketName": [self.bucket]}))
        self.assertEqual(execution["AutomationExecutionStatus"], "Success")
        read = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(read["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})

    def test_what_a_start_refuses(self):
        start = self.ssm.start_automation_execution
        ill = "InvalidAutomationExecutionParametersException"
        self.refused("AutomationDefinitionNotFoundException", 400, start, DocumentName="Nowhere")
        self.refused("AutomationDefinitionVersionNotFoundException", 400, start, DocumentName=DOCUMENT, DocumentVersion="9")
        missing = {k: v for k, v in self.parameters().items() if k != "BucketName"}
        for wrong in [
            missing,
            self.parameters(Unknown="x"),
            self.parameters(BucketKeyEnabled="perhaps"),
            self.parameters(SSEAlgorithm="AES256"),
            self.parameters(KMSMasterKeyID="alias/team-key"),
            {**self.parameters(), "BucketName": [self.bucket, self.bucket]},
            self.parameters(AutomationAssumeRole=automation_role(enterable()[5])),
            self.parameters(AutomationAssumeRole=f"arn:aws:iam::{self.account}:role/orgseal-member"),
        ]:
            self.refused(ill, 400, start, DocumentName=DOCUMENT, Parameters=wrong)
        tags = [{"Key": f"k{number}", "Value": "v"} for number in range(6)]
        self.refused("ValidationException", 400, start, DocumentName=DOCUMENT, Parameters=self.parameters(), Tags=tags)

    def test_client_tokens(self):
        token = str(uuid.uuid4())
        first = self.start(Parameters=self.parameters(), ClientToken=token)
        self.assertEqual(self.start(Parameters=self.parameters(), ClientToken=token.upper()), first)
        self.refused(
            "IdempotentParameterMismatch", 400, self.ssm.start_automation_execution,
            DocumentName=DOCUMENT, Parameters=self.parameters(BucketKeyEnabled="false"), ClientToken=token,
        )
        unchecked = client("ssm", "us-east-1", session(self.account), CONFIG.merge(botocore.config.Config(parameter_validation=False)))
        self.refused("ValidationException", 400, unchecked.start_automation_execution, DocumentName=DOCUMENT, ClientToken="short")

    def test_what_is_not_there(self):
        nobody = str(uuid.uuid4())
        for call in [self.ssm.get_automation_execution, self.ssm.stop_automation_execution]:
            self.refused("AutomationExecutionNotFoundException", 400, call, AutomationExecutionId=nobody)
        self.refused("UnknownOperationException", 400, self.ssm.list_associations)

    def test_pages_and_filters(self):
        region = "ap-southeast-2"
        ssm = client("ssm", region, session(enterable()[6]))
        name = self.create(ssm, json.dumps({
            "schemaVersion": "0.3",
            "mainSteps": [{"name": "Nap", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}],
        }))
        before = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        time.sleep(0.01)
        started = [self.start(ssm, DocumentName=name) for _ in range(7)]
        tagged = self.start(ssm, DocumentName=name, Tags=[{"Key": "campaign", "Value": "1"}])
        started.append(tagged)
        for execution in started:
            self.until_ended(ssm, execution)

        def listed(*filters, size=3):
            found, pages, token = [], 0, None
            while True:
                more = {"NextToken": token} if token else {}
                wanted = {"Filters": [{"Key": k, "Values": v} for k, v in filters]} if filters else {}
                page = ssm.describe_automation_executions(MaxResults=size, **wanted, **more)
                self.shape(ssm, "DescribeAutomationExecutions", page)
                self.assertLessEqual(len(page["AutomationExecutionMetadataList"]), size)
                found += page["AutomationExecutionMetadataList"]
                token = page.get("NextToken")
                if not token:
                    return found
        mine = listed(("DocumentNamePrefix", [name]))
        self.assertEqual([e["AutomationExecutionId"] for e in mine], started[::-1])
        self.assertTrue(all("Parameters" not in e for e in mine))
        ids = lambda found: {e["AutomationExecutionId"] for e in found}
        self.assertEqual(ids(listed(("ExecutionId", started[:2]))), set(started[:2]))
        self.assertEqual(ids(listed(("TagKey", ["campaign"]))), {tagged})
        self.assertEqual(ids(listed(("ExecutionStatus", ["Success"]), ("StartTimeAfter", [before]))), set(started))
        self.assertEqual(ids(listed(("StartTimeBefore", [before]), ("DocumentNamePrefix", [name]))), set())
        self.assertEqual(ids(listed(("ExecutionStatus", ["Failed"]), ("DocumentNamePrefix", [name]))), set())
        self.assertEqual(ids(listed(("ParentExecutionId", [started[0]]))), set())
        self.refused("InvalidFilterValue", 400, ssm.describe_automation_executions, Filters=[{"Key": "ExecutionStatus", "Values": ["Done"]}])
        self.refused("InvalidFilterValue", 400, ssm.describe_automation_executions, Filters=[{"Key": "StartTimeAfter", "Values": ["then"]}])
        self.refused("InvalidFilterKey", 400, ssm.describe_automation_executions, Filters=[{"Key": "Nonsense", "Values": ["x"]}])
        self.refused("InvalidNextToken", 400, ssm.describe_automation_executions, NextToken="nonsense")
        unchecked = client("ssm", region, session(enterable()[6]), CONFIG.merge(botocore.config.Config(parameter_validation=False)))
        self.refused("ValidationException", 400, unchecked.describe_automation_executions, MaxResults=51)

    def test_executions_stay_in_their_account_and_region(self):
        execution = self.start(Parameters=self.parameters())
        for elsewhere in [client("ssm", "eu-west-1", session(self.account)), client("ssm", "us-east-1", session(enterable()[5]))]:
            self.refused("AutomationExecutionNotFoundException", 400, elsewhere.get_automation_execution, AutomationExecutionId=execution)

    def test_a_hundred_run_at_once_and_stopping_lets_the_next_one_in(self):
        region = "eu-west-1"
        account = enterable()[7]
        ssm = client("ssm", region, session(account))
        name = self.create(ssm, SLEEPER)
        started = [self.start(ssm, DocumentName=name) for _ in range(103)]
        try:
            statuses = collections.Counter()
            for page in ssm.get_paginator("describe_automation_executions").paginate(
                Filters=[{"Key": "DocumentNamePrefix", "Values": [name]}]
            ):
                statuses.update(e["AutomationExecutionStatus"] for e in page["AutomationExecutionMetadataList"])
            self.assertEqual(statuses, {"InProgress": 100, "Pending": 3})
            current = ssm.describe_automation_executions(Filters=[{"Key": "CurrentAction", "Values": ["aws:sleep"]}], MaxResults=1)
            self.assertEqual(current["AutomationExecutionMetadataList"][0]["CurrentStepName"], "Sleep")
            peaks = {(p["account"], p["region"]): p["peak"] for p in control("in-flight")["by_account_and_region"]}
            self.assertEqual(peaks[account, region], 103)
            # A Pending one is cancelled at once; a running one leaves its place to the next.
            ssm.stop_automation_execution(AutomationExecutionId=started[102])
            self.assertEqual(self.until_ended(ssm, started[102])["AutomationExecutionStatus"], "Cancelled")
            ssm.stop_automation_execution(AutomationExecutionId=started[0], Type="Cancel")
            self.assertEqual(self.until_ended(ssm, started[0])["AutomationExecutionStatus"], "Cancelled")
            self.refused("InvalidAutomationStatusUpdateException", 400, ssm.stop_automation_execution, AutomationExecutionId=started[0])
            deadline = time.monotonic() + 10
            status = None
            while status != "InProgress" and time.monotonic() < deadline:
                status = ssm.get_automation_execution(AutomationExecutionId=started[100])["AutomationExecution"]["AutomationExecutionStatus"]
            self.assertEqual(status, "InProgress")
        finally:
            for execution in started[1:102]:
                ssm.stop_automation_execution(AutomationExecutionId=execution)


if __name__ == "__main__":
    unittest.main()
