"""The groundwork as people make it by hand: the rendered shell/deploy.sh, step by step, with the aws command line, in a fresh
organization. What is there afterwards is read with boto3, account by account.

ORGSEAL_BIN renders the files; without it this fails, and is not left out in silence."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from conformance import ROOT, Case, client, serve

AWS = pathlib.Path(sys.executable).with_name("aws")
DOCUMENTS = ["EnableS3BucketEncryptionWithKMS", "RestoreS3BucketEncryption"]
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
SERVICES = {STACK_SETS, "config.amazonaws.com", "config-multiaccountsetup.amazonaws.com"}
GUARDRAILS = {"orgseal-scp-other-key", "orgseal-scp-keep-seal", "orgseal-scp-keep-key", "orgseal-rcp-other-key"}
TAG = {"Key": "orgseal", "Value": "bootstrap"}
REGIONS = ["us-east-1", "eu-west-1"]


def campaign(state, keys, owner=None):
    """A campaign file for the organization; `keys` by Region."""
    # The first Region is the home of what there is once.
    lines = [f"regions = {json.dumps(REGIONS)}", "[organization]", f'id = "{state["organization"]}"']
    lines += ["[member_role]", 'name = "orgseal-member"', f'external_id = "{state["external_id"]}"']
    lines += ["[automation_role]", 'name = "orgseal-automation"', "[central_key]"]
    lines += [f'{region} = "{arn}"' for region, arn in keys.items()]
    lines += ["[document]", f'name = "{DOCUMENTS[0]}"'] + ([f'owner = "{owner}"'] if owner else [])
    lines += ["[bootstrap]", f'security_account = "{state["security_account"]}"']
    lines += [f'management_account = "{state["management_account"]}"', 'caller = "user/orgseal"']
    return "\n".join(lines) + "\n"


class Deploy(Case):
    """A fresh organization, a campaign file for it, and the files that orgseal renders of both."""

    def setUp(self):
        self.assertIn("ORGSEAL_BIN", os.environ, "this suite renders with the binary: set ORGSEAL_BIN")
        self.assertTrue(AWS.exists(), "awscli is not installed: see requirements.txt")
        self.names = serve(ROOT / "config/sandbox/empty.toml")
        with urllib.request.urlopen(self.names["AWS_ENDPOINT_URL"] + "/_sandbox/state") as answer:
            self.state = json.load(answer)
        self.security, self.management = self.state["security_account"], self.state["management_account"]
        self.members = [one["id"] for one in self.state["accounts"] if one["id"] != self.management]
        self.admin = {**self.state["management_credentials"], "SessionToken": None}
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def api(self, service, account=None, region="us-east-1"):
        """A client as the management account's administrator, or as an account's."""
        return client(service, region, self.session(account) if account else self.admin, names=self.names)

    @functools.cache
    def session(self, account):
        role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        sts = client("sts", credentials=self.admin, names=self.names)
        return sts.assume_role(RoleArn=role, RoleSessionName="deploy")["Credentials"]

    def root(self):
        return self.api("organizations").list_roots()["Roots"][0]["Id"]

    def render(self, text):
        file = self.folder / "campaign.toml"
        file.write_text(text)
        words = [os.environ["ORGSEAL_BIN"], "bootstrap", "render", str(self.folder / "groundwork"), "--config", str(file)]
        done = subprocess.run([*words, "--yes"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def environment(self, keys, more):
        variables = {
            # The script's `aws` is the one of this Python.
            "PATH": f"{AWS.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.names["AWS_ENDPOINT_URL"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            **more,
        }
        if keys.get("SessionToken"):
            variables["AWS_SESSION_TOKEN"] = keys["SessionToken"]
        return variables

    def run_step(self, step, keys, **more):
        script = self.folder / "groundwork/shell/deploy.sh"
        return subprocess.run(
            ["bash", str(script), step], env=self.environment(keys, more), capture_output=True, text=True, timeout=300
        )

    def step(self, step, keys, **more):
        done = self.run_step(step, keys, **more)
        self.assertEqual(done.returncode, 0, f"{step}: {done.stdout}{done.stderr}")
        return done.stdout

    def aws(self, keys, *words):
        return subprocess.run(
            [AWS, *words], env=self.environment(keys, {}), capture_output=True, text=True, timeout=120
        )

    def owner(self):
        """The security account's own user, whom the export lines are for."""
        return {"AccessKeyId": self.names["AWS_ACCESS_KEY_ID"], "SecretAccessKey": self.names["AWS_SECRET_ACCESS_KEY"]}

    def wait(self, name, operations):
        """Every operation on a stack set has succeeded, so often."""
        api = self.api("cloudformation")
        found = api.list_stack_set_operations(StackSetName=name)["Summaries"]
        self.assertEqual([one["Status"] for one in found], ["SUCCEEDED"] * operations)
        pages = api.get_paginator("list_stack_instances").paginate(StackSetName=name)
        instances = [one for page in pages for one in page["Summaries"]]
        self.assertEqual({one["Status"] for one in instances}, {"CURRENT"})
        return sorted((one["Account"], one["Region"]) for one in instances)

    def enable(self):
        """What the organization must have before the other steps: each names what is missing until then."""
        root = self.root()
        for step, more, missing in [
            ("documents", {"ROOT_OR_OU": root}, STACK_SETS),
            ("members", {"ROOT_OR_OU": root, "EXTERNAL_ID": self.state["external_id"]}, STACK_SETS),
            ("organization", {}, "policy type RESOURCE_CONTROL_POLICY is not enabled"),
            ("check", {}, f"account {self.security} is not a delegated administrator for config.amazonaws.com"),
        ]:
            refused = self.run_step(step, self.admin, **more)
            self.assertNotEqual(refused.returncode, 0, step)
            self.assertIn(missing, refused.stderr, step)
            self.assertIn("deploy.sh access", refused.stderr, step)
        # AWS refuses as well.
        self.refused(
            "ValidationError", 400, self.api("cloudformation").create_stack_set, StackSetName="early", TemplateBody="{}",
            PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": False},
        )
        owner = client("config", credentials={**self.owner(), "SessionToken": None}, names=self.names)
        self.refused(
            "OrganizationAccessDeniedException", 400, owner.put_organization_conformance_pack,
            OrganizationConformancePackName="early", TemplateBody="{}",
        )
        organizations = self.api("organizations")
        listed = client("organizations", credentials={**self.owner(), "SessionToken": None}, names=self.names)
        self.refused("AccessDeniedException", 400, listed.list_accounts)
        for _ in range(2):  # It may be repeated.
            self.assertIn("as orgseal needs them", self.step("access", self.admin))
        enabled = {one["ServicePrincipal"] for one in organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]}
        self.assertEqual(enabled, SERVICES)
        delegated = organizations.list_delegated_services_for_account(AccountId=self.security)["DelegatedServices"]
        self.assertEqual({one["ServicePrincipal"] for one in delegated}, SERVICES)
        types = {one["Type"] for one in organizations.list_roots()["Roots"][0]["PolicyTypes"] if one["Status"] == "ENABLED"}
        self.assertEqual(types, {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"})
        # The security account sees it too.
        self.step("check", self.owner())

    def has_documents(self, account, region):
        ssm = self.api("ssm", account, region)
        for name in DOCUMENTS:
            content = json.loads(ssm.get_document(Name=name)["Content"])
            shipped = json.loads((self.folder / f"groundwork/documents/{name}.json").read_text())
            self.assertEqual(content, shipped, (account, region))
            tags = ssm.list_tags_for_resource(ResourceType="Document", ResourceId=name)["TagList"]
            self.assertEqual(tags, [TAG], (account, region))


class EachAccount(Deploy):
    def test_from_an_empty_organization_to_all_that_a_campaign_needs(self):
        new = {region: f"arn:aws:kms:{region}:{self.security}:key/NEW" for region in REGIONS}
        self.render(campaign(self.state, new))
        self.enable()
        printed = self.step("keys", self.owner())
        keys = {}
        for region in REGIONS:
            kms = self.api("kms", self.security, region)
            key = kms.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]
            self.assertEqual((key["KeyState"], key["KeyManager"]), ("Enabled", "CUSTOMER"))
            self.assertIn(key["Arn"], printed)
            self.assertTrue(kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"])
            self.assertEqual(kms.list_resource_tags(KeyId=key["KeyId"])["Tags"], [{"TagKey": "orgseal", "TagValue": "bootstrap"}])
            policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
            self.assertIn("NobodyTakesTheKeyAway", [one["Sid"] for one in policy["Statement"]])
            keys[region] = key["Arn"]
        # A second time there is nothing to do; the older command line takes that for a failure.
        again = self.run_step("keys", self.owner())
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("No changes to deploy", again.stderr)

        # "Put the ARNs into [central_key] of the campaign file, and render again."
        self.assertIn("render again", printed)
        self.render(campaign(self.state, keys))
        self.step("security", self.owner())
        iam = self.api("iam", self.security)
        policy = iam.get_policy(PolicyArn=f"arn:aws:iam::{self.security}:policy/orgseal-caller")["Policy"]
        self.assertEqual(policy["DefaultVersionId"], "v1")
        attached = iam.list_attached_role_policies(RoleName="orgseal-config-aggregator")["AttachedPolicies"]
        self.assertEqual([one["PolicyName"] for one in attached], ["AWSConfigRoleForOrganizations"])
        found = self.api("config", self.security).describe_configuration_aggregators()["ConfigurationAggregators"]
        self.assertEqual([one["ConfigurationAggregatorName"] for one in found], ["orgseal"])
        self.assertTrue(found[0]["OrganizationAggregationSource"]["AllAwsRegions"])

        # Each step says what it needs, before it does anything.
        missing = self.run_step("documents", self.admin)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("name the root", missing.stderr)
        self.assertEqual(self.api("cloudformation").list_stack_sets(Status="ACTIVE")["Summaries"], [])
        root = self.root()
        self.step("documents", self.admin, ROOT_OR_OU=root)
        self.assertEqual(
            self.wait("orgseal-documents", 1), sorted((one, region) for one in self.members for region in REGIONS)
        )
        for account in self.members:
            for region in REGIONS:
                self.has_documents(account, region)
        self.assertEqual(self.api("ssm").list_documents()["DocumentIdentifiers"], [], "never in the management account")

        self.step("members", self.admin, ROOT_OR_OU=root, EXTERNAL_ID=self.state["external_id"])
        self.assertEqual(self.wait("orgseal-member-roles", 1), sorted((one, "us-east-1") for one in self.members))
        for account in self.members:
            self.has_roles(account)
        self.assertEqual(self.api("iam").list_roles()["Roles"], [])
        caller = client("sts", names=self.names)
        for account in self.members:
            role = f"arn:aws:iam::{account}:role/orgseal-member"
            enter = functools.partial(caller.assume_role, RoleArn=role, RoleSessionName="deploy")
            entered = enter(ExternalId=self.state["external_id"])["Credentials"]
            self.refused("AccessDenied", 403, enter, ExternalId="another")
            # As the member role the central key can be seen, and the document read.
            ssm = client("ssm", credentials=entered, names=self.names)
            self.assertEqual(ssm.get_document(Name=DOCUMENTS[0])["Status"], "Active")
            kms = client("kms", credentials=entered, names=self.names)
            self.assertTrue(kms.describe_key(KeyId=keys["us-east-1"])["KeyMetadata"]["Enabled"])

        self.step("organization", self.admin)
        for region in REGIONS:
            config = self.api("config", region=region)
            packs = config.describe_organization_conformance_packs()["OrganizationConformancePacks"]
            self.assertEqual([pack["OrganizationConformancePackName"] for pack in packs], ["orgseal"])
            for account in [*self.members, None]:
                [rule] = self.api("config", account, region).describe_config_rules()["ConfigRules"]
                self.assertEqual(rule["Source"]["SourceIdentifier"], "S3_DEFAULT_ENCRYPTION_KMS", (account, region))
                # That Region's key alone: S3 cannot use another Region's.
                self.assertEqual(json.loads(rule["InputParameters"])["kmsKeyArns"], keys[region], (account, region))
        organizations = self.api("organizations")
        made = {}
        for kind in ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]:
            for policy in organizations.list_policies(Filter=kind)["Policies"]:
                if not policy["AwsManaged"]:
                    made[policy["Name"]] = policy["Id"]
        self.assertEqual(set(made), GUARDRAILS)
        for name, policy in made.items():
            self.assertEqual(organizations.list_targets_for_policy(PolicyId=policy)["Targets"], [], name)
            self.assertEqual(organizations.list_tags_for_resource(ResourceId=policy)["Tags"], [TAG], name)
            content = json.loads(organizations.describe_policy(PolicyId=policy)["Policy"]["Content"])
            file = self.folder / f"groundwork/guardrails/{name.removeprefix('orgseal-')}.min.json"
            self.assertEqual(content, json.loads(file.read_text()), name)
        # A step that was done once fails the second time, and says so.
        again = self.run_step("documents", self.admin, ROOT_OR_OU=root)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("NameAlreadyExistsException", again.stderr)

        self.stack_of_the_management_account()
        self.new_words_for_the_documents(root)

    def has_roles(self, account):
        iam = self.api("iam", account)
        for role, policy in [("orgseal-member", "orgseal-rollout"), ("orgseal-audit", "orgseal-audit")]:
            shown = iam.get_role(RoleName=role)["Role"]
            [statement] = shown["AssumeRolePolicyDocument"]["Statement"]
            self.assertEqual(statement["Condition"]["StringEquals"]["sts:ExternalId"], self.state["external_id"], account)
            self.assertEqual(statement["Principal"]["AWS"], f"arn:aws:iam::{self.security}:user/orgseal", account)
            self.assertEqual(shown["Tags"], [TAG], account)
            self.assertEqual(iam.list_role_policies(RoleName=role)["PolicyNames"], [policy], account)
        trust = iam.get_role(RoleName="orgseal-automation")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
        self.assertEqual(trust["Condition"]["StringEquals"]["aws:SourceAccount"], account)
        rollout = iam.get_role_policy(RoleName="orgseal-member", PolicyName="orgseal-rollout")["PolicyDocument"]
        passes = next(one for one in rollout["Statement"] if one["Action"] == "iam:PassRole")
        self.assertEqual(passes["Resource"], "arn:aws:iam::*:role/orgseal-automation")

    def stack_of_the_management_account(self):
        """StackSets never reach it: `cloudformation/README.md` names the stacks of its own."""
        folder = self.folder / "groundwork/cloudformation"
        roles = folder / "management-account.json"
        self.assertTrue(roles.exists(), sorted(file.name for file in folder.iterdir()))
        words = ["cloudformation", "deploy", "--stack-name", "orgseal-member-roles", "--template-file", str(roles)]
        more = ["--parameter-overrides", f"ExternalId={self.state['external_id']}"]
        refused = self.aws(self.admin, *words, *more)
        self.assertIn("InsufficientCapabilitiesException", refused.stderr)
        done = self.aws(self.admin, *words, *more, "--capabilities", "CAPABILITY_NAMED_IAM")
        self.assertEqual(done.returncode, 0, done.stderr)
        iam = self.api("iam")
        self.assertEqual(iam.get_role(RoleName="orgseal-member")["Role"]["Tags"], [TAG])

    def new_words_for_the_documents(self, root):
        """A document that changes gets a new version, which is the default one, wherever the set is."""
        file = self.folder / "groundwork/cloudformation/documents.json"
        template = json.loads(file.read_text())
        properties = template["Resources"]["SealDocument"]["Properties"]
        # YAML text: an object's Booleans and numbers might become strings.
        self.assertEqual(properties["DocumentFormat"], "YAML")
        start = properties["Content"].index("schemaVersion:")
        properties["Content"] = "description: Another description\n" + properties["Content"][start:]
        (self.folder / "documents.json").write_text(json.dumps(template))
        done = self.aws(
            self.admin, "cloudformation", "update-stack-set", "--stack-set-name", "orgseal-documents",
            "--template-body", f"file://{self.folder}/documents.json",
            "--operation-preferences", "MaxConcurrentPercentage=10,FailureTolerancePercentage=5",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.wait("orgseal-documents", 2)
        for account in self.members:
            shown = self.api("ssm", account, "eu-west-1").describe_document(Name=DOCUMENTS[0])["Document"]
            self.assertEqual((shown["DefaultVersion"], shown["Description"]), ("2", "Another description"), account)


class Shared(Deploy):
    def test_one_multi_region_key_and_documents_that_the_security_account_shares(self):
        new = {region: f"arn:aws:kms:{region}:{self.security}:key/mrk-NEW" for region in REGIONS}
        self.render(campaign(self.state, new, owner=self.security))
        self.step("access", self.admin)
        self.step("keys", self.owner())
        ids = set()
        for region in REGIONS:
            key = self.api("kms", self.security, region).describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]
            ids.add(key["KeyId"])
            kind = key["MultiRegionConfiguration"]["MultiRegionKeyType"]
            self.assertEqual(kind, "PRIMARY" if region == "us-east-1" else "REPLICA")
        self.assertEqual(len(ids), 1, "one key")
        keys = {region: f"arn:aws:kms:{region}:{self.security}:key/{key}" for key in ids for region in REGIONS}
        self.render(campaign(self.state, keys, owner=self.security))
        self.step("documents", self.owner(), ACCOUNTS=",".join(one for one in self.members if one != self.security))
        for region in REGIONS:
            self.has_documents(self.security, region)
            for account in self.members:
                for name in DOCUMENTS:
                    arn = f"arn:aws:ssm:{region}:{self.security}:document/{name}"
                    self.assertEqual(self.api("ssm", account, region).get_document(Name=arn)["Status"], "Active")

    def test_a_delegated_administrator_deploys_the_roles(self):
        new = {region: f"arn:aws:kms:{region}:{self.security}:key/NEW" for region in REGIONS}
        self.render(campaign(self.state, new))
        self.step("access", self.admin)
        # The comment of the step: "then with --call-as DELEGATED_ADMIN".
        script = self.folder / "groundwork/shell/deploy.sh"
        text = script.read_text()
        for command in ["create-stack-set", "create-stack-instances"]:
            text = text.replace(f"cloudformation {command} ", f"cloudformation {command} --call-as DELEGATED_ADMIN ")
        self.assertEqual(text.count("--call-as DELEGATED_ADMIN "), 4)
        root, secret = self.root(), self.state["external_id"]
        refused = self.run_step("members", self.owner(), ROOT_OR_OU=root, EXTERNAL_ID=secret)
        self.assertIn("You must be the management account or delegated admin", refused.stderr)
        script.write_text(text)
        self.step("members", self.owner(), ROOT_OR_OU=root, EXTERNAL_ID=secret)
        self.assertEqual(self.wait("orgseal-member-roles", 1), sorted((one, "us-east-1") for one in self.members))


if __name__ == "__main__":
    unittest.main()
