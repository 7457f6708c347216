"""CloudFormation as boto3 sees it: stacks, change sets and service-managed stack sets, each answer held to botocore's model."""

import functools
import json
import unittest
import uuid

from conformance import Case, accounts, client, enterable, member_session, session, state

NAMED = ["CAPABILITY_NAMED_IAM"]
EC2 = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
NAP = {"schemaVersion": "0.3", "mainSteps": [{"name": "Nap", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}


def name(kind):
    return f"{kind}-{uuid.uuid4().hex[:10]}"


def role(called, **more):
    return {"Type": "AWS::IAM::Role", "Properties": {"RoleName": called, "AssumeRolePolicyDocument": EC2, **more}}


def document(called, **more):
    properties = {"DocumentType": "Automation", "UpdateMethod": "NewVersion", "Content": NAP, "Name": called, **more}
    return {"Type": "AWS::SSM::Document", "Properties": properties}


def template(outputs=None, parameters=None, **resources):
    body = {"AWSTemplateFormatVersion": "2010-09-09", "Description": "Of a test", "Resources": resources}
    return json.dumps({**body, "Outputs": outputs or {}, "Parameters": parameters or {}})


class Stacks(Case):
    """Everything is made in an account by its administrator, and its stack taken away at the end."""

    def setUp(self):
        self.account = enterable()[5]
        self.api = client("cloudformation", credentials=session(self.account))
        self.iam = client("iam", credentials=session(self.account))

    def ask(self, operation, api=None, **arguments):
        """Calls it and checks the answer against the model."""
        api = api or self.api
        answer = getattr(api, operation)(**arguments)
        self.shape(api, "".join(word.capitalize() for word in operation.split("_")), answer)
        return answer

    def stack(self, body, called=None, **more):
        called = called or name("stack")
        arn = self.ask("create_stack", StackName=called, TemplateBody=body, Capabilities=NAMED, **more)["StackId"]
        self.addCleanup(self.api.delete_stack, StackName=arn)
        return called, arn

    def shown(self, called):
        return self.ask("describe_stacks", StackName=called)["Stacks"][0]

    def test_a_stack_from_beginning_to_end(self):
        called = name("role")
        body = template(
            outputs={"Arn": {"Description": "of the role", "Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
            parameters={"Secret": {"Type": "String", "NoEcho": True}},
            Role=role(called, Description={"Ref": "Secret"}),
            Nap=document(name("doc")),
        )
        parameters = [{"ParameterKey": "Secret", "ParameterValue": "hush"}]
        tags = [{"Key": "team", "Value": "one"}]
        stack, arn = self.stack(body, Parameters=parameters, Tags=tags, ClientRequestToken="once")
        self.api.get_waiter("stack_exists").wait(StackName=stack)
        self.api.get_waiter("stack_create_complete").wait(StackName=stack)
        shown = self.shown(stack)
        self.assertEqual((shown["StackId"], shown["StackStatus"], shown["Tags"]), (arn, "CREATE_COMPLETE", tags))
        self.assertEqual(shown["Parameters"], [{"ParameterKey": "Secret", "ParameterValue": "****"}])
        made = self.iam.get_role(RoleName=called)["Role"]
        self.assertEqual((made["Arn"], made["Description"], made["Tags"]), (shown["Outputs"][0]["OutputValue"], "hush", tags))
        self.assertIn(arn, [one["StackId"] for one in self.ask("describe_stacks")["Stacks"]])
        events = self.ask("describe_stack_events", StackName=stack)["StackEvents"]
        self.assertEqual((events[0]["ResourceStatus"], events[-1]["ResourceStatusReason"]), ("CREATE_COMPLETE", "User Initiated"))
        self.assertEqual({event["ClientRequestToken"] for event in events}, {"once"})
        resources = self.ask("describe_stack_resources", StackName=stack)["StackResources"]
        self.assertEqual({one["LogicalResourceId"] for one in resources}, {"Nap", "Role"})
        found = self.ask("describe_stack_resources", PhysicalResourceId=called)["StackResources"]
        self.assertEqual(found[0]["StackName"], stack)
        one = self.ask("describe_stack_resource", StackName=stack, LogicalResourceId="Role")["StackResourceDetail"]
        self.assertEqual((one["PhysicalResourceId"], one["ResourceStatus"]), (called, "CREATE_COMPLETE"))
        self.assertEqual(len(self.ask("list_stack_resources", StackName=stack)["StackResourceSummaries"]), 2)
        self.assertEqual(self.api.get_template(StackName=stack)["TemplateBody"], json.loads(body))
        summary = self.ask("get_template_summary", StackName=stack)
        self.assertEqual((summary["Capabilities"], summary["Description"]), (NAMED, "Of a test"))
        self.assertEqual(summary["ResourceTypes"], ["AWS::IAM::Role", "AWS::SSM::Document"])
        self.assertTrue(self.ask("validate_template", TemplateBody=body)["Parameters"][0]["NoEcho"])

        previous = [{"ParameterKey": "Secret", "UsePreviousValue": True}]
        again = functools.partial(self.api.update_stack, StackName=stack, Capabilities=NAMED, Parameters=previous)
        message = self.refused("ValidationError", 400, again, UsePreviousTemplate=True)["Error"]["Message"]
        self.assertEqual(message, "No updates are to be performed.")
        other = json.loads(body)
        del other["Resources"]["Nap"]
        other["Resources"]["Role"]["Properties"]["MaxSessionDuration"] = 7200
        self.ask("update_stack", StackName=stack, TemplateBody=json.dumps(other), Capabilities=NAMED, Parameters=previous)
        self.api.get_waiter("stack_update_complete").wait(StackName=stack)
        self.assertEqual(self.iam.get_role(RoleName=called)["Role"]["MaxSessionDuration"], 7200)

        self.api.delete_stack(StackName=stack)
        self.api.get_waiter("stack_delete_complete").wait(StackName=stack)
        self.assertEqual(self.shown(arn)["StackStatus"], "DELETE_COMPLETE")
        deleted = self.ask("list_stacks", StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
        self.assertIn(arn, [one["StackId"] for one in deleted])
        message = self.refused("ValidationError", 400, self.api.describe_stacks, StackName=stack)["Error"]["Message"]
        self.assertEqual(message, f"Stack with id {stack} does not exist")
        with self.assertRaises(self.iam.exceptions.NoSuchEntityException):
            self.iam.get_role(RoleName=called)

    def test_what_fails_is_rolled_back(self):
        called = name("role")
        stack, _ = self.stack(template(A=role(called), B=role("OrganizationAccountAccessRole")))
        shown = self.shown(stack)
        self.assertEqual(shown["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("[B]", shown["StackStatusReason"])
        events = self.ask("describe_stack_events", StackName=stack)["StackEvents"]
        failed = next(event for event in events if event["ResourceStatus"] == "CREATE_FAILED")
        self.assertIn("HandlerErrorCode: AlreadyExists", failed["ResourceStatusReason"])
        with self.assertRaises(self.iam.exceptions.NoSuchEntityException):
            self.iam.get_role(RoleName=called)
        create = functools.partial(self.api.create_stack, StackName=stack, TemplateBody=template(A=role(called)))
        self.refused("AlreadyExistsException", 400, create, Capabilities=NAMED)

    def test_refusals(self):
        create = functools.partial(self.api.create_stack, StackName=name("stack"))
        self.refused("InsufficientCapabilitiesException", 400, create, TemplateBody=template(A=role("a")))
        self.refused("ValidationError", 400, create, TemplateBody=template(A={"Type": "AWS::EC2::VPC"}))
        self.refused("ValidationError", 400, create, TemplateBody=template(A=role({"Ref": "B"})), Capabilities=NAMED)
        self.refused("ValidationError", 400, create, TemplateBody="{", Capabilities=NAMED)
        self.refused("ValidationError", 400, create, TemplateURL="https://bucket.s3.amazonaws.com/template")
        self.refused("ValidationError", 400, self.api.update_stack, StackName="none", UsePreviousTemplate=True)
        self.refused("ValidationError", 400, self.api.describe_stack_events, StackName="none")
        self.refused("ValidationError", 400, self.api.get_template, StackName="none")
        self.api.delete_stack(StackName="none")
        stack, _ = self.stack(template(A=document(name("doc"))), ClientRequestToken="mine")
        update = functools.partial(self.api.update_stack, StackName=stack, UsePreviousTemplate=True, Tags=[{"Key": "a", "Value": "b"}])
        self.refused("TokenAlreadyExistsException", 400, update, ClientRequestToken="mine")
        member = client("cloudformation", credentials=member_session(self.account))
        message = self.refused("AccessDenied", 403, member.describe_stacks, StackName=stack)["Error"]["Message"]
        self.assertIn("cloudformation:DescribeStacks on resource: arn:aws:cloudformation:us-east-1:", message)

    def test_change_sets(self):
        stack, called = name("stack"), name("role")
        self.addCleanup(self.api.delete_stack, StackName=stack)
        create = functools.partial(
            self.ask, "create_change_set", StackName=stack, TemplateBody=template(A=role(called)), Capabilities=NAMED,
            Parameters=[], Tags=[],
        )
        arn = create(ChangeSetName="one", ChangeSetType="CREATE", Description="the first")["Id"]
        self.api.get_waiter("change_set_create_complete").wait(ChangeSetName=arn, StackName=stack)
        shown = self.ask("describe_change_set", ChangeSetName=arn)
        self.assertEqual((shown["ExecutionStatus"], shown["Description"]), ("AVAILABLE", "the first"))
        self.assertEqual(shown["Changes"][0]["ResourceChange"]["Action"], "Add")
        self.assertEqual(self.shown(stack)["StackStatus"], "REVIEW_IN_PROGRESS")
        self.ask("execute_change_set", ChangeSetName=arn, DisableRollback=False)
        self.api.get_waiter("stack_create_complete").wait(StackName=stack)
        self.refused("InvalidChangeSetStatus", 400, self.api.execute_change_set, ChangeSetName=arn)
        self.refused("ChangeSetNotFound", 404, self.api.describe_change_set, ChangeSetName="two", StackName=stack)
        create(ChangeSetName="same")
        shown = self.ask("describe_change_set", ChangeSetName="same", StackName=stack)
        self.assertEqual((shown["Status"], shown["ExecutionStatus"]), ("FAILED", "UNAVAILABLE"))
        self.assertIn("The submitted information didn't contain changes.", shown["StatusReason"])
        self.ask("delete_change_set", ChangeSetName="same", StackName=stack)
        changed = template(A=role(called, Description="other"), B=document(name("doc")))
        create(ChangeSetName="two", TemplateBody=changed)
        changes = self.ask("describe_change_set", ChangeSetName="two", StackName=stack)["Changes"]
        changes = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in changes}
        self.assertEqual((changes["A"]["Action"], changes["A"]["Replacement"]), ("Modify", "False"))
        self.assertEqual(changes["B"]["Action"], "Add")
        listed = self.ask("list_change_sets", StackName=stack)["Summaries"]
        self.assertEqual([one["ChangeSetName"] for one in listed], ["one", "two"])
        self.refused("AlreadyExistsException", 400, create, ChangeSetName="two", TemplateBody=changed)
        self.ask("execute_change_set", ChangeSetName="two", StackName=stack)
        self.api.get_waiter("stack_update_complete").wait(StackName=stack)
        self.assertEqual(self.iam.get_role(RoleName=called)["Role"]["Description"], "other")

    def test_it_is_in_the_trail(self):
        called = name("role")
        self.stack(template(A=role(called)))
        trail = client("cloudtrail", credentials=session(self.account))
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "CreateRole"}]
        events = trail.lookup_events(LookupAttributes=wanted)["Events"]
        records = [json.loads(event["CloudTrailEvent"]) for event in events]
        made = next(one for one in records if one["requestParameters"]["roleName"] == called)
        self.assertEqual(made["userIdentity"]["invokedBy"], "cloudformation.amazonaws.com")


class StackSets(Case):
    """In the management account, for one account of the organization at a time."""

    ask = Stacks.ask

    def setUp(self):
        self.account = enterable()[6]
        management = {**state()["management_credentials"], "SessionToken": None}
        self.api = client("cloudformation", credentials=management)
        self.root = client("organizations").list_roots()["Roots"][0]["Id"]
        self.set = name("set")

    def create(self, body, api=None, **more):
        model = {"PermissionModel": "SERVICE_MANAGED"}
        deploys = {"AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False}}
        made = self.ask(
            "create_stack_set", api, StackSetName=self.set, TemplateBody=body, Capabilities=NAMED, **{**model, **deploys, **more}
        )
        self.addCleanup(self.discard)
        return made["StackSetId"]

    def discard(self):
        instances = self.api.list_stack_instances(StackSetName=self.set)["Summaries"]
        if instances:
            regions = sorted({one["Region"] for one in instances})
            targets = {"OrganizationalUnitIds": [self.root]}
            self.api.delete_stack_instances(
                StackSetName=self.set, DeploymentTargets=targets, Regions=regions, RetainStacks=False
            )
        self.api.delete_stack_set(StackSetName=self.set)

    def only(self, account=None):
        return {
            "OrganizationalUnitIds": [self.root], "Accounts": [account or self.account], "AccountFilterType": "INTERSECTION",
        }

    def test_a_set_from_beginning_to_end(self):
        called = name("doc")
        made = self.create(template(Nap=document(called)), Description="of a test", Tags=[{"Key": "a", "Value": "b"}])
        shown = self.ask("describe_stack_set", StackSetName=self.set)["StackSet"]
        self.assertEqual((shown["StackSetId"], shown["Status"], shown["Description"]), (made, "ACTIVE", "of a test"))
        self.assertIn(made, [one["StackSetId"] for one in self.ask("list_stack_sets", Status="ACTIVE")["Summaries"]])
        preferences = {"MaxConcurrentPercentage": 10, "FailureTolerancePercentage": 5, "RegionOrder": ["eu-west-1"]}
        regions = ["us-east-1", "eu-west-1"]
        begun = self.ask(
            "create_stack_instances", StackSetName=self.set, DeploymentTargets=self.only(), Regions=regions,
            OperationPreferences=preferences,
        )["OperationId"]
        operation = self.ask("describe_stack_set_operation", StackSetName=self.set, OperationId=begun)["StackSetOperation"]
        self.assertEqual((operation["Action"], operation["Status"]), ("CREATE", "SUCCEEDED"))
        self.assertEqual(operation["OperationPreferences"], preferences)
        self.assertEqual(operation["DeploymentTargets"], self.only())
        results = self.ask("list_stack_set_operation_results", StackSetName=self.set, OperationId=begun)["Summaries"]
        self.assertEqual([(one["Account"], one["Region"], one["Status"]) for one in results], [
            (self.account, "eu-west-1", "SUCCEEDED"), (self.account, "us-east-1", "SUCCEEDED")])
        pages = self.api.get_paginator("list_stack_instances").paginate(StackSetName=self.set, PaginationConfig={"PageSize": 1})
        instances = [one for page in pages for one in page["Summaries"]]
        self.assertEqual([one["Status"] for one in instances], ["CURRENT", "CURRENT"])
        one = self.ask(
            "describe_stack_instance", StackSetName=self.set, StackInstanceAccount=self.account, StackInstanceRegion="eu-west-1"
        )["StackInstance"]
        there = client("cloudformation", "eu-west-1", session(self.account))
        self.assertEqual(self.ask("describe_stacks", there, StackName=one["StackId"])["Stacks"][0]["StackStatus"], "CREATE_COMPLETE")
        ssm = client("ssm", "eu-west-1", session(self.account))
        self.assertEqual(ssm.describe_document(Name=called)["Document"]["Tags"], [{"Key": "a", "Value": "b"}])

        changed = template(Nap=document(called, Content={**NAP, "description": "other"}))
        self.ask("update_stack_set", StackSetName=self.set, TemplateBody=changed)
        self.assertEqual(ssm.describe_document(Name=called)["Document"]["DefaultVersion"], "2")
        self.refused("StackSetNotEmptyException", 409, self.api.delete_stack_set, StackSetName=self.set)
        self.ask(
            "delete_stack_instances", StackSetName=self.set, DeploymentTargets=self.only(), Regions=regions, RetainStacks=False
        )
        operations = self.ask("list_stack_set_operations", StackSetName=self.set)["Summaries"]
        self.assertEqual([one["Action"] for one in operations], ["DELETE", "UPDATE", "CREATE"])
        with self.assertRaises(ssm.exceptions.InvalidDocument):
            ssm.describe_document(Name=called)
        self.assertEqual(self.ask("list_stack_instances", StackSetName=self.set)["Summaries"], [])

    def test_the_management_account_and_suspended_ones_are_left_out(self):
        self.create(template(Nap=document(name("doc"))))
        deploy = functools.partial(self.ask, "create_stack_instances", StackSetName=self.set, Regions=["us-east-1"])
        management = state()["management_account"]
        begun = deploy(DeploymentTargets=self.only(management))["OperationId"]
        results = self.api.list_stack_set_operation_results(StackSetName=self.set, OperationId=begun)["Summaries"]
        self.assertEqual(results, [])
        suspended = [one["Id"] for one in accounts() if one["State"] == "SUSPENDED"]
        deploy(DeploymentTargets=self.only(suspended[0]))
        [instance] = self.ask("list_stack_instances", StackSetName=self.set)["Summaries"]
        self.assertEqual(instance["StackInstanceStatus"]["DetailedStatus"], "SKIPPED_SUSPENDED_ACCOUNT")
        kept = self.ask("list_stack_instances", StackSetName=self.set, Filters=[{"Name": "DETAILED_STATUS", "Values": "SUCCEEDED"}])
        self.assertEqual(kept["Summaries"], [])

    def test_a_failure_is_told(self):
        self.create(template(A=role("orgseal-member")))
        deploy = functools.partial(self.ask, "create_stack_instances", StackSetName=self.set, Regions=["us-east-1"])
        begun = deploy(DeploymentTargets=self.only())["OperationId"]
        operation = self.ask("describe_stack_set_operation", StackSetName=self.set, OperationId=begun)["StackSetOperation"]
        self.assertEqual((operation["Status"], operation["StatusDetails"]["FailedStackInstancesCount"]), ("FAILED", 1))
        failed = [{"Name": "OPERATION_RESULT_STATUS", "Values": "FAILED"}]
        [result] = self.ask(
            "list_stack_set_operation_results", StackSetName=self.set, OperationId=begun, Filters=failed
        )["Summaries"]
        self.assertIn("ResourceLogicalId:A, ResourceType:AWS::IAM::Role", result["StatusReason"])
        self.assertTrue(client("iam", credentials=session(self.account)).get_role(RoleName="orgseal-member"))

    def test_a_delegated_administrator(self):
        security = client("cloudformation")
        management = {**state()["management_credentials"], "SessionToken": None}
        administrators = client("organizations", credentials=management).list_delegated_administrators(
            ServicePrincipal="member.org.stacksets.cloudformation.amazonaws.com"
        )["DelegatedAdministrators"]
        self.assertEqual([one["Id"] for one in administrators], [state()["security_account"]])
        made = self.create(template(Nap=document(name("doc"))), security, CallAs="DELEGATED_ADMIN")
        self.assertEqual(self.ask("describe_stack_set", StackSetName=self.set)["StackSet"]["StackSetId"], made)
        self.ask(
            "create_stack_instances", security, StackSetName=self.set, CallAs="DELEGATED_ADMIN", Regions=["us-east-1"],
            DeploymentTargets=self.only(),
        )
        found = self.ask("list_stack_instances", security, StackSetName=self.set, CallAs="DELEGATED_ADMIN")["Summaries"]
        self.assertEqual([one["Account"] for one in found], [self.account])
        self.refused("StackSetNotFoundException", 404, security.describe_stack_set, StackSetName=self.set)
        member = client("cloudformation", credentials=session(self.account))
        self.refused("ValidationError", 400, member.list_stack_sets, CallAs="DELEGATED_ADMIN")
        self.assertEqual(member.list_stack_sets()["Summaries"], [])

    def test_refusals(self):
        body = template(Nap=document(name("doc")))
        self.refused("ValidationError", 400, self.api.create_stack_set, StackSetName=self.set, TemplateBody=body)
        self.create(body)
        again = functools.partial(self.api.create_stack_set, StackSetName=self.set, TemplateBody=body, PermissionModel="SERVICE_MANAGED")
        self.refused("NameAlreadyExistsException", 409, again, AutoDeployment={"Enabled": False})
        deploy = functools.partial(self.api.create_stack_instances, StackSetName=self.set, Regions=["us-east-1"])
        self.refused("ValidationError", 400, deploy, Accounts=[self.account])
        self.refused("ValidationError", 400, deploy, DeploymentTargets={"OrganizationalUnitIds": ["ou-none-12345678"]})
        union = {**self.only(), "AccountFilterType": "UNION"}
        self.refused("ValidationError", 400, deploy, DeploymentTargets=union)
        deploy(DeploymentTargets=self.only(), OperationId="once")
        self.refused("OperationIdAlreadyExistsException", 409, deploy, DeploymentTargets=self.only(), OperationId="once")
        operation = functools.partial(self.api.describe_stack_set_operation, StackSetName=self.set)
        self.refused("OperationNotFoundException", 404, operation, OperationId="none")
        instance = functools.partial(self.api.describe_stack_instance, StackSetName=self.set, StackInstanceRegion="eu-west-1")
        self.refused("StackInstanceNotFoundException", 404, instance, StackInstanceAccount=self.account)
        self.refused("StackSetNotFoundException", 404, self.api.describe_stack_set, StackSetName="none")


if __name__ == "__main__":
    unittest.main()
