"""Organizations: pages, the tree, tags, and who may ask."""

import json
import unittest

import botocore.config

from conformance import Case, accounts, client, enterable, session, state


class Organizations(Case):
    def setUp(self):
        self.api = client("organizations")

    def test_describe(self):
        answer = self.api.describe_organization()
        self.shape(self.api, "DescribeOrganization", answer)
        self.assertEqual(answer["Organization"]["MasterAccountId"], state()["management_account"])
        member = client("organizations", credentials=session(enterable()[0]))
        self.assertEqual(member.describe_organization()["Organization"], answer["Organization"])

    def test_pages_of_accounts(self):
        whole = [account["Id"] for account in accounts()]
        self.assertEqual(len(whole), len(set(whole)))
        first = self.api.list_accounts()
        self.shape(self.api, "ListAccounts", first)
        self.assertEqual(len(first["Accounts"]), min(20, len(whole)))
        seen, token = [], None
        while True:
            page = self.api.list_accounts(MaxResults=7, **({"NextToken": token} if token else {}))
            self.assertLessEqual(len(page["Accounts"]), 7)
            seen += [account["Id"] for account in page["Accounts"]]
            token = page.get("NextToken")
            if not token:
                break
        self.assertEqual(seen, whole)
        self.refused("InvalidInputException", 400, self.api.list_accounts, NextToken="nonsense")
        unchecked = client("organizations", config=botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1}))
        self.refused("ValidationException", 400, unchecked.list_accounts, MaxResults=21)

    def test_states(self):
        for account in accounts():
            self.assertIn(account["State"], ("ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION", "CLOSED"))
            self.assertEqual(account["State"] == "ACTIVE", account["Status"] == "ACTIVE")

    def test_the_tree_holds_every_account_once_and_agrees_with_paths(self):
        root = self.api.list_roots()
        self.shape(self.api, "ListRoots", root)
        organization = self.api.describe_organization()["Organization"]["Id"]
        found = {}

        def walk(parent, path):
            for page in self.api.get_paginator("list_accounts_for_parent").paginate(ParentId=parent):
                self.shape(self.api, "ListAccountsForParent", page)
                for account in page["Accounts"]:
                    self.assertNotIn(account["Id"], found)
                    found[account["Id"]] = f"{path}{account['Id']}/"
            for page in self.api.get_paginator("list_organizational_units_for_parent").paginate(ParentId=parent):
                self.shape(self.api, "ListOrganizationalUnitsForParent", page)
                for unit in page["OrganizationalUnits"]:
                    self.assertEqual(unit["Path"], f"{path}{unit['Id']}/")
                    up = self.api.list_parents(ChildId=unit["Id"])
                    self.shape(self.api, "ListParents", up)
                    self.assertEqual(up["Parents"][0]["Id"], parent)
                    walk(unit["Id"], unit["Path"])

        walk(root["Roots"][0]["Id"], f"{organization}/{root['Roots'][0]['Id']}/")
        self.assertEqual(found, {account["Id"]: account["Paths"][0] for account in accounts()})
        some = accounts()[5]
        parent = self.api.list_parents(ChildId=some["Id"])["Parents"][0]
        self.assertEqual(some["Paths"][0].split("/")[-3], parent["Id"])

    def test_tags(self):
        answer = self.api.list_tags_for_resource(ResourceId=accounts()[3]["Id"])
        self.shape(self.api, "ListTagsForResource", answer)
        self.assertEqual({tag["Key"] for tag in answer["Tags"]}, {"env", "team", "cost-center"})

    def test_what_is_not_there(self):
        self.refused("ParentNotFoundException", 400, self.api.list_accounts_for_parent, ParentId="ou-abcd-12345678")
        self.refused("ChildNotFoundException", 400, self.api.list_parents, ChildId="000000000000")
        self.refused("TargetNotFoundException", 400, self.api.list_tags_for_resource, ResourceId="000000000000")
        self.refused("UnknownOperationException", 400, self.api.list_handshakes_for_organization)

    def test_only_administrators_may_ask_and_only_in_us_east_1(self):
        member = client("organizations", credentials=session(enterable()[0]))
        self.refused("AccessDeniedException", 400, member.list_accounts)
        elsewhere = client("organizations", "eu-west-1")
        self.refused("InvalidSignatureException", 400, elsewhere.list_accounts)



class Policies(Case):
    def test_what_is_attached_everywhere(self):
        api = client("organizations")
        root = api.list_roots()["Roots"][0]
        self.assertEqual(
            {kind["Type"] for kind in root["PolicyTypes"]}, {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"}
        )
        for kind, name in [("SERVICE_CONTROL_POLICY", "FullAWSAccess"), ("RESOURCE_CONTROL_POLICY", "RCPFullAWSAccess")]:
            for target in [root["Id"], accounts()[3]["Id"]]:
                answer = api.list_policies_for_target(TargetId=target, Filter=kind)
                self.shape(api, "ListPoliciesForTarget", answer)
                self.assertEqual([policy["Name"] for policy in answer["Policies"]], [name])
                described = api.describe_policy(PolicyId=answer["Policies"][0]["Id"])
                self.shape(api, "DescribePolicy", described)
                self.assertEqual(described["Policy"]["PolicySummary"], answer["Policies"][0])
                self.assertEqual(json.loads(described["Policy"]["Content"])["Statement"][0]["Action"], "*")
        self.assertEqual(api.list_policies_for_target(TargetId=root["Id"], Filter="TAG_POLICY")["Policies"], [])

    def test_what_it_refuses(self):
        api, kind = client("organizations"), "SERVICE_CONTROL_POLICY"
        self.refused("TargetNotFoundException", 400, api.list_policies_for_target, TargetId="999999999999", Filter=kind)
        self.refused("InvalidInputException", 400, api.list_policies_for_target, TargetId="nobody", Filter=kind)
        self.refused("PolicyNotFoundException", 400, api.describe_policy, PolicyId="p-notthere0")


SCP = "SERVICE_CONTROL_POLICY"
DENY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Action": "sts:GetFederationToken", "Resource": "*"}]})


class Writes(Case):
    """As the management account; everything is taken back, as other tests look at the same organization."""

    def setUp(self):
        self.api = client("organizations", credentials={**state()["management_credentials"], "SessionToken": None})
        self.account = accounts()[4]["Id"]

    def called(self, method, **arguments):
        answer = getattr(self.api, method)(**arguments)
        self.shape(self.api, self.api.meta.method_to_api_mapping[method], answer)
        return answer

    def made(self, name, kind=SCP, content=DENY, **more):
        answer = self.called("create_policy", Name=name, Description="a test's", Type=kind, Content=content, **more)
        id = answer["Policy"]["PolicySummary"]["Id"]
        self.addCleanup(self.gone, id)
        return id

    def gone(self, id):
        for target in self.api.list_targets_for_policy(PolicyId=id)["Targets"]:
            self.api.detach_policy(PolicyId=id, TargetId=target["TargetId"])
        self.api.delete_policy(PolicyId=id)

    def attached(self):
        answer = self.called("list_policies_for_target", TargetId=self.account, Filter=SCP)
        return [policy["Id"] for policy in answer["Policies"]]

    def test_a_policy_from_its_making_to_its_end(self):
        id = self.made("life", Tags=[{"Key": "a", "Value": "b"}])
        self.assertIn(id, [p["Id"] for page in self.api.get_paginator("list_policies").paginate(Filter=SCP) for p in page["Policies"]])
        self.called("attach_policy", PolicyId=id, TargetId=self.account)
        self.assertEqual(self.attached(), ["p-FullAWSAccess", id])
        targets = self.called("list_targets_for_policy", PolicyId=id)["Targets"]
        self.assertEqual([(t["TargetId"], t["Type"]) for t in targets], [(self.account, "ACCOUNT")])
        updated = self.called("update_policy", PolicyId=id, Name="new life")["Policy"]
        self.assertEqual((updated["PolicySummary"]["Name"], updated["Content"]), ("new life", DENY))
        self.assertEqual(self.called("describe_policy", PolicyId=id)["Policy"], updated)
        self.called("tag_resource", ResourceId=id, Tags=[{"Key": "c", "Value": "d"}])
        self.called("untag_resource", ResourceId=id, TagKeys=["a"])
        self.assertEqual(self.called("list_tags_for_resource", ResourceId=id)["Tags"], [{"Key": "c", "Value": "d"}])
        self.refused("PolicyInUseException", 400, self.api.delete_policy, PolicyId=id)
        self.refused("DuplicatePolicyAttachmentException", 400, self.api.attach_policy, PolicyId=id, TargetId=self.account)
        self.called("detach_policy", PolicyId=id, TargetId=self.account)
        self.refused("PolicyNotAttachedException", 400, self.api.detach_policy, PolicyId=id, TargetId=self.account)

    def test_it_binds_at_once(self):
        content = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}})
        s3 = client("s3", credentials=session(enterable()[1]))
        s3.list_buckets()
        id = self.made("binds", content=content)
        self.api.attach_policy(PolicyId=id, TargetId=enterable()[1])
        refusal = self.refused("AccessDenied", 403, s3.list_buckets)
        self.assertIn("explicit deny in a service control policy", refusal["Error"]["Message"])
        self.api.detach_policy(PolicyId=id, TargetId=enterable()[1])
        s3.list_buckets()

    def test_each_target_keeps_an_scp(self):
        full = "p-FullAWSAccess"
        refusal = self.refused("ConstraintViolationException", 400, self.api.detach_policy, PolicyId=full, TargetId=self.account)
        self.assertEqual(refusal["Reason"], "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
        ids = [self.made(f"n{nth}") for nth in range(5)]
        for id in ids[:4]:
            self.api.attach_policy(PolicyId=id, TargetId=self.account)
        refusal = self.refused("ConstraintViolationException", 400, self.api.attach_policy, PolicyId=ids[4], TargetId=self.account)
        self.assertEqual(refusal["Reason"], "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
        self.api.detach_policy(PolicyId=full, TargetId=self.account)
        self.assertEqual(self.attached(), ids[:4])
        self.api.attach_policy(PolicyId=full, TargetId=self.account)

    def test_documents(self):
        create = lambda content, kind=SCP: dict(Name="never", Description="", Type=kind, Content=content)
        for content in ["{", "{}", DENY.replace("Deny", "Maybe"), DENY.replace('"Action"', '"Principal": "*", "Action"')]:
            self.refused("MalformedPolicyDocumentException", 400, self.api.create_policy, **create(content))
        self.refused("MalformedPolicyDocumentException", 400, self.api.create_policy, **create(DENY, "RESOURCE_CONTROL_POLICY"))
        self.made("whole", content=DENY + " " * (5120 - len(DENY)))
        refusal = self.refused("ConstraintViolationException", 400, self.api.create_policy, **create(DENY + " " * (5121 - len(DENY))))
        self.assertEqual(refusal["Reason"], "POLICY_CONTENT_LIMIT_EXCEEDED")
        self.refused("DuplicatePolicyException", 400, self.api.create_policy, **{**create(DENY), "Name": "whole"})
        refusal = self.refused("InvalidInputException", 400, self.api.update_policy, PolicyId="p-FullAWSAccess", Name="mine")
        self.assertEqual(refusal["Reason"], "IMMUTABLE_POLICY")

    def test_policy_types(self):
        root, rcp = self.api.list_roots()["Roots"][0]["Id"], "RESOURCE_CONTROL_POLICY"
        self.refused("PolicyTypeAlreadyEnabledException", 400, self.api.enable_policy_type, RootId=root, PolicyType=rcp)
        disabled = self.called("disable_policy_type", RootId=root, PolicyType=rcp)["Root"]
        self.assertEqual([kind["Type"] for kind in disabled["PolicyTypes"]], [SCP])
        self.refused("PolicyTypeNotEnabledException", 400, self.api.attach_policy, PolicyId="p-RCPFullAWSAccess", TargetId=root)
        self.assertEqual(len(self.called("enable_policy_type", RootId=root, PolicyType=rcp)["Root"]["PolicyTypes"]), 2)

    def test_delegation(self):
        service = {"ServicePrincipal": "macie.amazonaws.com"}
        register = self.api.register_delegated_administrator
        refusal = self.refused("ConstraintViolationException", 400, register, AccountId=self.account, **service)
        self.assertEqual(refusal["Reason"], "SERVICE_ACCESS_NOT_ENABLED")
        self.called("enable_aws_service_access", **service)
        enabled = self.called("list_aws_service_access_for_organization")["EnabledServicePrincipals"]
        self.assertIn(service["ServicePrincipal"], [one["ServicePrincipal"] for one in enabled])
        self.called("register_delegated_administrator", AccountId=self.account, **service)
        self.refused("AccountAlreadyRegisteredException", 400, register, AccountId=self.account, **service)
        listed = self.called("list_delegated_administrators", **service)["DelegatedAdministrators"]
        self.assertEqual([one["Id"] for one in listed], [self.account])
        self.called("deregister_delegated_administrator", AccountId=self.account, **service)
        self.called("disable_aws_service_access", **service)
        self.refused("AccountNotFoundException", 400, register, AccountId="999999999999", **service)

    def test_the_management_account_alone_writes(self):
        delegated = client("organizations")
        self.refused("AccessDeniedException", 400, delegated.create_policy, Name="x", Description="", Type=SCP, Content=DENY)
        delegated.list_policies(Filter=SCP)


if __name__ == "__main__":
    unittest.main()
