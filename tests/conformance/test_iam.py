"""GetAccountAuthorizationDetails and GetRole as boto3 sees them."""

import unittest

from conformance import Case, client, enterable, member_session, session


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
        arn = "arn:aws:iam::aws:policy/AdministratorAccess"
        self.assertEqual(attached, [{"PolicyName": "AdministratorAccess", "PolicyArn": arn}])
        policy = next(policy for policy in answer["Policies"] if policy["Arn"] == arn)
        document = policy["PolicyVersionList"][0]["Document"]["Statement"][0]
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


if __name__ == "__main__":
    unittest.main()
