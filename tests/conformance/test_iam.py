"""Roles, users, managed policies, GetAccountAuthorizationDetails and GetRole as boto3 sees them."""

import contextlib
import functools
import json
import unittest
import uuid

from conformance import ROOT, Case, buckets_of, client, enterable, member_session, serve, session, state

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OF_CONFIG = "arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"


def policy(action, resource="*", **more):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(**principal):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def name(kind):
    return f"{kind}-{uuid.uuid4().hex[:10]}"


class Iam(Case):
    """Everything made is made in an account by its administrator, and taken away at the end."""

    def setUp(self):
        self.account = enterable()[3]
        self.iam = client("iam", credentials=session(self.account))

    def ask(self, operation, **arguments):
        """Calls it and checks the answer against the model."""
        answer = getattr(self.iam, operation)(**arguments)
        self.shape(self.iam, "".join(word.capitalize() for word in operation.split("_")), answer)
        return answer

    def role(self, document=None, **more):
        role = name("role")
        self.ask("create_role", RoleName=role, AssumeRolePolicyDocument=document or trust(AWS=self.account), **more)
        self.addCleanup(self.remove, role)
        return role

    def remove(self, role):
        with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
            for one in self.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                self.iam.detach_role_policy(RoleName=role, PolicyArn=one["PolicyArn"])
            for one in self.iam.list_role_policies(RoleName=role)["PolicyNames"]:
                self.iam.delete_role_policy(RoleName=role, PolicyName=one)
            self.iam.delete_role(RoleName=role)

    def policy(self, document, **more):
        arn = self.ask("create_policy", PolicyName=name("policy"), PolicyDocument=document, **more)["Policy"]["Arn"]
        self.addCleanup(self.discard, arn)
        return arn

    def discard(self, arn):
        with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
            for version in self.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    self.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
            self.iam.delete_policy(PolicyArn=arn)

    def enter(self, role):
        sts = client("sts", credentials=session(self.account))
        arn = self.iam.get_role(RoleName=role)["Role"]["Arn"]
        return sts.assume_role(RoleArn=arn, RoleSessionName="conformance")["Credentials"]


class AuthorizationDetails(Case):
    def setUp(self):
        self.account = enterable()[2]
        self.iam = client("iam", credentials=member_session(self.account))

    def test_the_member_role_reads_the_whole_account(self):
        answer = self.iam.get_account_authorization_details()
        self.shape(self.iam, "GetAccountAuthorizationDetails", answer)
        self.assertFalse(answer["IsTruncated"])
        roles = {role["RoleName"]: role for role in answer["RoleDetailList"]}
        self.assertGreaterEqual(set(roles), {"orgseal-member", "orgseal-automation", "OrganizationAccountAccessRole"})
        member = roles["orgseal-member"]
        self.assertEqual(member["Arn"], f"arn:aws:iam::{self.account}:role/orgseal-member")
        statements = member["RolePolicyList"][0]["PolicyDocument"]["Statement"]
        self.assertIn("ReadDefaultEncryption", [statement["Sid"] for statement in statements])
        trusted = roles["orgseal-automation"]["AssumeRolePolicyDocument"]["Statement"][0]
        self.assertEqual(trusted["Principal"], {"Service": "ssm.amazonaws.com"})
        attached = roles["OrganizationAccountAccessRole"]["AttachedManagedPolicies"]
        self.assertEqual(attached, [{"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR}])
        found = next(policy for policy in answer["Policies"] if policy["Arn"] == ADMINISTRATOR)
        document = found["PolicyVersionList"][0]["Document"]["Statement"][0]
        self.assertEqual((document["Action"], document["Resource"]), ("*", "*"))

    def test_filters_and_pages(self):
        only = self.iam.get_account_authorization_details(Filter=["Role"])
        self.assertEqual(only["Policies"] + only["UserDetailList"] + only["GroupDetailList"], [])
        pages = self.iam.get_paginator("get_account_authorization_details").paginate(
            Filter=["Role"], PaginationConfig={"PageSize": 1}
        )
        paged = [role["Arn"] for page in pages for role in page["RoleDetailList"]]
        self.assertEqual(paged, [role["Arn"] for role in only["RoleDetailList"]])
        users = client("iam").get_account_authorization_details(Filter=["User"])["UserDetailList"]
        self.assertIn("orgseal", [user["UserName"] for user in users])
        self.refused("ValidationError", 400, self.iam.get_account_authorization_details, Marker="nonsense")

    def test_get_role(self):
        answer = self.iam.get_role(RoleName="orgseal-automation")
        self.shape(self.iam, "GetRole", answer)
        self.assertEqual(answer["Role"]["Arn"], f"arn:aws:iam::{self.account}:role/orgseal-automation")
        message = self.refused("AccessDenied", 403, self.iam.get_role, RoleName="Other")["Error"]["Message"]
        self.assertIn("iam:GetRole", message)
        administrator = client("iam", credentials=session(self.account))
        self.refused("NoSuchEntity", 404, administrator.get_role, RoleName="Other")


class Roles(Iam):
    def test_a_role_as_it_is_made_and_changed(self):
        tags = [{"Key": "team", "Value": "one"}, {"Key": "empty", "Value": ""}]
        bound = self.policy(policy("s3:*"))
        role = self.role(Path="/a/b/", Description="<mine>", MaxSessionDuration=7200, PermissionsBoundary=bound, Tags=tags)
        shown = self.ask("get_role", RoleName=role)["Role"]
        self.assertEqual(
            (shown["Path"], shown["Description"], shown["MaxSessionDuration"], shown["Tags"]), ("/a/b/", "<mine>", 7200, tags)
        )
        self.assertEqual(shown["PermissionsBoundary"]["PermissionsBoundaryArn"], bound)
        self.assertEqual(shown["AssumeRolePolicyDocument"], json.loads(trust(AWS=self.account)))
        self.ask("update_role", RoleName=role, Description="ours", MaxSessionDuration=3600)
        self.ask("update_assume_role_policy", RoleName=role, PolicyDocument=trust(Service="ec2.amazonaws.com"))
        self.ask("delete_role_permissions_boundary", RoleName=role)
        shown = self.ask("get_role", RoleName=role)["Role"]
        self.assertEqual((shown["Description"], shown["MaxSessionDuration"]), ("ours", 3600))
        self.assertNotIn("PermissionsBoundary", shown)
        self.assertEqual(shown["AssumeRolePolicyDocument"]["Statement"][0]["Principal"], {"Service": "ec2.amazonaws.com"})
        listed = next(one for one in self.ask("list_roles", PathPrefix="/a/")["Roles"] if one["RoleName"] == role)
        self.assertFalse({"Tags", "PermissionsBoundary", "RoleLastUsed"} & set(listed))
        self.ask("delete_role", RoleName=role)
        self.refused("NoSuchEntity", 404, self.iam.get_role, RoleName=role)
        waiter = self.iam.get_waiter("role_exists")
        waiter.wait(RoleName="orgseal-member", WaiterConfig={"Delay": 1, "MaxAttempts": 1})

    def test_tags(self):
        role = self.role()
        self.ask("tag_role", RoleName=role, Tags=[{"Key": "Ümlaut", "Value": "a b"}, {"Key": "b", "Value": ""}])
        pages = self.iam.get_paginator("list_role_tags").paginate(RoleName=role, PaginationConfig={"PageSize": 1})
        self.assertEqual([tag["Key"] for page in pages for tag in page["Tags"]], ["b", "Ümlaut"])
        self.ask("untag_role", RoleName=role, TagKeys=["Ümlaut"])
        self.assertEqual(self.ask("list_role_tags", RoleName=role)["Tags"], [{"Key": "b", "Value": ""}])
        self.refused("InvalidInput", 400, self.iam.tag_role, RoleName=role, Tags=[{"Key": "aws:b", "Value": ""}])

    def test_a_role_with_policies_is_not_deleted(self):
        arn, role = self.policy(policy("s3:*")), self.role()
        self.ask("put_role_policy", RoleName=role, PolicyName="own", PolicyDocument=policy("s3:*"))
        self.refused("DeleteConflict", 409, self.iam.delete_role, RoleName=role)
        self.ask("delete_role_policy", RoleName=role, PolicyName="own")
        self.ask("attach_role_policy", RoleName=role, PolicyArn=arn)
        self.refused("DeleteConflict", 409, self.iam.delete_role, RoleName=role)
        self.ask("detach_role_policy", RoleName=role, PolicyArn=arn)
        self.ask("delete_role", RoleName=role)

    def test_what_is_refused(self):
        role = self.role()
        create = functools.partial(self.iam.create_role, RoleName=name("role"))
        good = trust(AWS=self.account)
        self.refused("EntityAlreadyExists", 409, self.iam.create_role, RoleName=role.upper(), AssumeRolePolicyDocument=good)
        nobody = f"arn:aws:iam::{self.account}:role/nobody"
        for document in ["{", policy("sts:AssumeRole"), trust(AWS=nobody), trust(Service="ssm"), good.replace("sts:", "s3:")]:
            self.refused("MalformedPolicyDocument", 400, create, AssumeRolePolicyDocument=document)
        long = trust(AWS=[f"arn:aws:iam::{self.account}:root"] * 100)
        self.refused("LimitExceeded", 409, create, AssumeRolePolicyDocument=long)
        self.refused("ValidationError", 400, create, AssumeRolePolicyDocument=good, MaxSessionDuration=43201)
        self.refused("ValidationError", 400, create, AssumeRolePolicyDocument=good, Path="a")
        missing = f"arn:aws:iam::{self.account}:policy/missing"
        self.refused("NoSuchEntity", 404, create, AssumeRolePolicyDocument=good, PermissionsBoundary=missing)
        self.refused("NoSuchEntity", 404, self.iam.attach_role_policy, RoleName=role, PolicyArn=missing)
        self.refused("NoSuchEntity", 404, self.iam.detach_role_policy, RoleName=role, PolicyArn=ADMINISTRATOR)
        self.refused("NoSuchEntity", 404, self.iam.put_role_permissions_boundary, RoleName=role, PermissionsBoundary=missing)
        self.refused("InvalidInput", 400, self.iam.attach_role_policy, RoleName=role, PolicyArn="arn:aws:s3:::a-bucket-of-mine")
        put = functools.partial(self.iam.put_role_policy, RoleName=role, PolicyName="own")
        self.refused("MalformedPolicyDocument", 400, put, PolicyDocument=trust(AWS=self.account))
        self.refused("LimitExceeded", 409, put, PolicyDocument=policy("s3:*", "arn:aws:s3:::" + "x" * 10_240))
        self.refused("NoSuchEntity", 404, self.iam.get_role_policy, RoleName=role, PolicyName="own")
        member = client("iam", credentials=member_session(self.account))
        message = self.refused("AccessDenied", 403, member.delete_role, RoleName=role)["Error"]["Message"]
        self.assertIn(f"iam:DeleteRole on resource: arn:aws:iam::{self.account}:role/{role} ", message)


class Policies(Iam):
    def test_versions(self):
        arn = self.policy(policy("s3:*"), Path="/team/", Description="mine", Tags=[{"Key": "a", "Value": "b"}])
        shown = self.ask("get_policy", PolicyArn=arn)["Policy"]
        self.assertEqual((shown["Description"], shown["Tags"], shown["DefaultVersionId"]), ("mine", [{"Key": "a", "Value": "b"}], "v1"))
        for nth in range(2, 6):
            made = self.ask("create_policy_version", PolicyArn=arn, PolicyDocument=policy("kms:*"), SetAsDefault=nth == 3)
            self.assertEqual(made["PolicyVersion"]["VersionId"], f"v{nth}")
        self.refused("LimitExceeded", 409, self.iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy("s3:*"))
        pages = self.iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
        versions = [version for page in pages for version in page["Versions"]]
        self.assertEqual([version["VersionId"] for version in versions], ["v5", "v4", "v3", "v2", "v1"])
        self.assertEqual([version["VersionId"] for version in versions if version["IsDefaultVersion"]], ["v3"])
        document = self.ask("get_policy_version", PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
        self.assertEqual(document, json.loads(policy("s3:*")))
        self.refused("DeleteConflict", 409, self.iam.delete_policy_version, PolicyArn=arn, VersionId="v3")
        self.refused("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn)
        self.ask("set_default_policy_version", PolicyArn=arn, VersionId="v1")
        self.ask("delete_policy_version", PolicyArn=arn, VersionId="v3")
        self.refused("NoSuchEntity", 404, self.iam.get_policy_version, PolicyArn=arn, VersionId="v3")

    def test_lists_and_refusals(self):
        arn, role = self.policy(policy("s3:*"), Path="/lists/"), self.role()
        self.ask("attach_role_policy", RoleName=role, PolicyArn=arn)
        self.ask("attach_role_policy", RoleName=role, PolicyArn=ADMINISTRATOR)
        pages = self.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role, PaginationConfig={"PageSize": 1})
        self.assertEqual({one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]}, {arn, ADMINISTRATOR})
        local = self.ask("list_policies", Scope="Local", PathPrefix="/lists/", OnlyAttached=True)["Policies"]
        self.assertEqual([(one["Arn"], one["AttachmentCount"]) for one in local], [(arn, 1)])
        self.refused("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn)
        create = functools.partial(self.iam.create_policy, PolicyDocument=policy("s3:*"))
        self.refused("EntityAlreadyExists", 409, create, PolicyName=arn.rpartition("/")[2].upper())
        long = policy("s3:*", "arn:aws:s3:::" + "x" * 6144)
        self.refused("LimitExceeded", 409, self.iam.create_policy, PolicyName=name("policy"), PolicyDocument=long)
        self.refused("MalformedPolicyDocument", 400, self.iam.create_policy, PolicyName=name("policy"), PolicyDocument="{}")
        self.refused("AccessDenied", 403, self.iam.delete_policy, PolicyArn=ADMINISTRATOR)
        self.refused("NoSuchEntity", 404, self.iam.get_policy, PolicyArn=arn + "x")


class Users(Iam):
    """The security account's user `orgseal`, as it sees and changes itself."""

    def setUp(self):
        arn = client("sts").get_caller_identity()["Arn"]
        self.account, self.me = arn.split(":")[4], arn.rpartition("/")[2]
        self.iam = client("iam")

    def attach(self, arn):
        self.ask("attach_user_policy", UserName=self.me, PolicyArn=arn)
        self.addCleanup(self.detach, arn)

    def detach(self, arn):
        with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):
            self.iam.detach_user_policy(UserName=self.me, PolicyArn=arn)

    def attached(self, **more):
        answer = self.ask("list_attached_user_policies", UserName=self.me, **more)
        return [one["PolicyArn"] for one in answer["AttachedPolicies"]]

    def test_users_are_shown(self):
        shown = self.ask("get_user")["User"]
        self.assertEqual(shown["Arn"], f"arn:aws:iam::{self.account}:user/{self.me}")
        self.assertEqual(self.ask("get_user", UserName=self.me)["User"], shown)
        pages = self.iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
        self.assertIn(shown, [one for page in pages for one in page["Users"]])
        self.assertEqual(self.ask("list_users", PathPrefix="/nowhere/")["Users"], [])
        self.refused("NoSuchEntity", 404, self.iam.get_user, UserName="nobody")
        member = enterable()[3]
        self.refused("ValidationError", 400, client("iam", credentials=session(member)).get_user)
        message = self.refused("AccessDenied", 403, client("iam", credentials=member_session(member)).list_users)
        self.assertIn(f"iam:ListUsers on resource: arn:aws:iam::{member}:user/ ", message["Error"]["Message"])
        management = client("iam", credentials={**state()["management_credentials"], "SessionToken": None})
        admin = management.list_attached_user_policies(UserName=management.get_user()["User"]["UserName"])
        self.assertEqual([one["PolicyArn"] for one in admin["AttachedPolicies"]], [ADMINISTRATOR])

    def test_attached_policies(self):
        arn = self.policy(policy("s3:*"), Path="/users/")
        self.attach(arn)
        self.attach(arn)
        self.attach(READ_ONLY)
        self.assertEqual(sorted(self.attached()), sorted([arn, READ_ONLY]))
        self.assertEqual(self.attached(PathPrefix="/users/"), [arn])
        pages = self.iam.get_paginator("list_attached_user_policies").paginate(UserName=self.me, PaginationConfig={"PageSize": 1})
        self.assertEqual(len([one for page in pages for one in page["AttachedPolicies"]]), 2)
        details = self.iam.get_account_authorization_details(Filter=["User", "AWSManagedPolicy"])
        self.shape(self.iam, "GetAccountAuthorizationDetails", details)
        shown = next(one for one in details["UserDetailList"] if one["UserName"] == self.me)
        self.assertEqual({one["PolicyArn"] for one in shown["AttachedManagedPolicies"]}, {arn, READ_ONLY})
        self.assertIn(READ_ONLY, [one["Arn"] for one in details["Policies"]])
        self.assertEqual(self.ask("get_policy", PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
        self.refused("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn)
        self.ask("detach_user_policy", UserName=self.me, PolicyArn=arn)
        self.refused("NoSuchEntity", 404, self.iam.detach_user_policy, UserName=self.me, PolicyArn=arn)
        self.ask("delete_policy", PolicyArn=arn)
        self.refused("NoSuchEntity", 404, self.iam.attach_user_policy, UserName=self.me, PolicyArn=arn)
        self.refused("NoSuchEntity", 404, self.iam.attach_user_policy, UserName="nobody", PolicyArn=READ_ONLY)
        self.refused("InvalidInput", 400, self.iam.attach_user_policy, UserName=self.me, PolicyArn="arn:aws:s3:::a-bucket-of-mine")
        for _ in range(9):
            self.attach(self.policy(policy("s3:*")))
        eleventh = self.policy(policy("s3:*"))
        self.refused("LimitExceeded", 409, self.iam.attach_user_policy, UserName=self.me, PolicyArn=eleventh)

    def test_what_is_attached_is_in_force(self):
        document = json.loads(policy("s3:ListAllMyBuckets"))
        document["Statement"][0]["Effect"] = "Deny"
        arn = self.policy(json.dumps(document))
        s3 = client("s3")
        s3.list_buckets()
        self.attach(arn)
        message = self.refused("AccessDenied", 403, s3.list_buckets)["Error"]["Message"]
        self.assertIn("with an explicit deny in an identity-based policy", message)
        self.ask("detach_user_policy", UserName=self.me, PolicyArn=arn)
        s3.list_buckets()

    def test_who_uses_a_policy(self):
        arn, role = self.policy(policy("s3:*")), self.role(Path="/uses/")
        bound = self.role(PermissionsBoundary=arn)
        self.attach(arn)
        self.ask("attach_role_policy", RoleName=role, PolicyArn=arn)

        def entities(**more):
            answer = self.ask("list_entities_for_policy", PolicyArn=arn, **more)
            self.assertEqual(answer["PolicyGroups"], [])
            return {one.get("RoleName") or one.get("UserName") for one in answer["PolicyUsers"] + answer["PolicyRoles"]}

        self.assertEqual(entities(), {self.me, role, bound})
        self.assertEqual(entities(EntityFilter="User"), {self.me})
        self.assertEqual(entities(EntityFilter="Role"), {role, bound})
        self.assertEqual(entities(EntityFilter="Group"), set())
        self.assertEqual(entities(PathPrefix="/uses/"), {role})
        self.assertEqual(entities(PolicyUsageFilter="PermissionsBoundary"), {bound})
        self.assertEqual(entities(PolicyUsageFilter="PermissionsPolicy"), {self.me, role})
        pages = list(self.iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 1}))
        self.assertEqual([len(page["PolicyUsers"]) + len(page["PolicyRoles"]) for page in pages], [1, 1, 1])
        self.refused("NoSuchEntity", 404, self.iam.list_entities_for_policy, PolicyArn=arn + "x")

    def test_policies_of_aws_s_own(self):
        pages = self.iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 3})
        listed = {one["Arn"]: one for page in pages for one in page["Policies"]}
        audit = "arn:aws:iam::aws:policy/SecurityAudit"
        self.assertGreaterEqual(set(listed), {ADMINISTRATOR, READ_ONLY, OF_CONFIG, audit})
        for arn, one in listed.items():
            self.assertEqual(self.ask("get_policy", PolicyArn=arn)["Policy"]["PolicyId"], one["PolicyId"])
            version = self.ask("get_policy_version", PolicyArn=arn, VersionId=one["DefaultVersionId"])["PolicyVersion"]
            self.assertEqual(version["Document"]["Version"], "2012-10-17")
            self.refused("AccessDenied", 403, self.iam.delete_policy, PolicyArn=arn)
        self.assertEqual(listed[OF_CONFIG]["Path"], "/service-role/")
        # A role that has no more than what AWS Config asks the organization.
        role = self.role(trust(AWS=f"arn:aws:iam::{self.account}:user/{self.me}"))
        arn = self.iam.get_role(RoleName=role)["Role"]["Arn"]
        keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="conformance")["Credentials"]
        organizations = client("organizations", credentials=keys)
        self.refused("AccessDeniedException", 400, organizations.list_accounts)
        self.ask("attach_role_policy", RoleName=role, PolicyArn=OF_CONFIG)
        organizations.list_accounts()
        self.refused("AccessDeniedException", 400, organizations.list_roots)


class InForce(Iam):
    """What is written is what the role may do, at once."""

    def may_list(self, keys):
        try:
            client("s3", credentials=keys).list_buckets()
        except client("s3").exceptions.ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "AccessDenied")
            return False
        return True

    def test_policies_and_boundary(self):
        # Taken away in the opposite order.
        arn, bound = self.policy(policy("s3:ListAllMyBuckets")), self.policy(policy("kms:*"))
        role = self.role()
        keys = self.enter(role)
        self.assertFalse(self.may_list(keys))
        self.iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy("s3:*"))
        self.assertTrue(self.may_list(keys))
        self.iam.delete_role_policy(RoleName=role, PolicyName="own")
        self.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        self.assertTrue(self.may_list(keys))
        self.iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=bound)
        self.assertFalse(self.may_list(keys))
        details = self.iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        shown = next(one for one in details if one["RoleName"] == role)
        self.assertEqual([one["PolicyArn"] for one in shown["AttachedManagedPolicies"]], [arn])
        self.assertIn("PermissionsBoundary", shown)
        self.iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust(Service="ec2.amazonaws.com"))
        with self.assertRaises(client("sts").exceptions.ClientError):
            self.enter(role)

    def test_an_automation_acts_as_a_role_that_was_just_made(self):
        role = self.role(trust(Service="ssm.amazonaws.com"))
        bucket = buckets_of(self.account, "us-east-1")[0]["name"]
        ssm = client("ssm", credentials=session(self.account))
        content = {
            "schemaVersion": "0.3",
            "assumeRole": "{{ Role }}",
            "parameters": {"Role": {"type": "String"}, "Bucket": {"type": "String"}},
            "mainSteps": [{
                "name": "Read", "action": "aws:executeAwsApi", "isEnd": True,
                "inputs": {"Service": "s3", "Api": "GetBucketEncryption", "Bucket": "{{ Bucket }}"},
            }],
        }
        document = name("document")
        ssm.create_document(Name=document, DocumentType="Automation", Content=json.dumps(content))
        self.addCleanup(ssm.delete_document, Name=document)
        parameters = {"Role": [self.iam.get_role(RoleName=role)["Role"]["Arn"]], "Bucket": [bucket]}

        def run():
            started = ssm.start_automation_execution(DocumentName=document, Parameters=parameters)
            return self.until_ended(ssm, started["AutomationExecutionId"])

        self.assertIn("AccessDenied", run()["FailureMessage"])
        self.iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy("s3:GetEncryptionConfiguration"))
        ended = run()
        # A bucket without a configuration is an answer too, and no refusal.
        self.assertNotIn("AccessDenied", ended.get("FailureMessage", ""))


class Fresh(Case):
    """The shipped organization without a groundwork, in a sandbox of its own."""

    def test_nothing_is_there_but_the_way_in(self):
        names = serve(ROOT / "config/sandbox/fresh.toml")
        api = functools.partial(client, names=names)
        roles = api("iam").get_paginator("list_roles").paginate()
        self.assertEqual([one["RoleName"] for page in roles for one in page["Roles"]], ["OrganizationAccountAccessRole"])
        self.assertEqual(api("ssm").list_documents()["DocumentIdentifiers"], [])
        aliases = {one["AliasName"] for one in api("kms").list_aliases()["Aliases"]}
        self.assertTrue(aliases and "alias/orgseal-central" not in aliases, aliases)
        self.refused("NotFoundException", 400, api("kms").describe_key, KeyId="alias/orgseal-central")
        arn = api("sts").get_caller_identity()["Arn"]
        self.assertTrue(arn.endswith(":user/orgseal"), arn)


if __name__ == "__main__":
    unittest.main()
