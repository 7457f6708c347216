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
        self.refused("UnknownOperationException", 400, self.api.list_delegated_administrators)

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


if __name__ == "__main__":
    unittest.main()
