"""The groundwork on moto, other people's AWS: it takes what deploy sends, and shows it as it was meant.

moto checks no permissions. ORGSEAL_BIN names the binary.
"""

import json
import os
import pathlib
import subprocess

import pytest
from conftest import session

REGIONS = ["us-east-1", "eu-west-1"]
THROUGH = "OrganizationAccountAccessRole"


@pytest.fixture(scope="module")
def world(endpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("moto")
    management = session(endpoint)
    organizations = management("organizations")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]
    organizations.enable_policy_type(
        RootId=organizations.list_roots()["Roots"][0]["Id"], PolicyType="SERVICE_CONTROL_POLICY"
    )
    security, member = (
        organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"]
        for name in ("security", "payments")
    )

    def entered(account):
        role = management("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/{THROUGH}", RoleSessionName="look")
        return session(endpoint, role["Credentials"])

    entered(security)("iam").create_role(
        RoleName="orgseal", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    keys = "\n".join(f'{region} = "arn:aws:kms:{region}:{security}:key/NEW"' for region in REGIONS)
    file = folder / "campaign.toml"
    file.write_text(
        f"""
[organization]
id = "{organization['Id']}"
[member_role]
name = "orgseal-member"
path = "/security/"
external_id = "a-shared-secret"
[central_key]
{keys}
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
[bootstrap]
security_account = "{security}"
config_rule = false
permissions_boundary = true
"""
    )

    def run(*arguments):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [pathlib.Path(os.environ["ORGSEAL_BIN"]), "bootstrap", *arguments, "--json"]
        command += ["--through", THROUGH, "--config", file, "--state", folder / "state"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done, json.loads(done.stdout or "null")

    return {
        "run": run, "entered": entered, "security": security, "member": member, "file": file,
        "organizations": organizations,
    }


def test_deploy_diff_and_destroy(world):
    done, deployed = world["run"]("deploy", "--yes", "--guardrail", "scp-other-key", "--guardrail", "scp-keep-key")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert deployed["counts"]["missing"] == deployed["counts"]["differing"] == 0, deployed["counts"]
    text = world["file"].read_text()
    assert "NEW" not in text
    # What moto shows is what was sent.
    iam = world["entered"](world["member"])("iam")
    role = iam.get_role(RoleName="orgseal-member")["Role"]
    assert role["Path"] == "/security/" and role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("orgseal-boundary")
    assert {"Key": "orgseal", "Value": "bootstrap"} in role["Tags"]
    assert "a-shared-secret" in json.dumps(role["AssumeRolePolicyDocument"])
    for region in REGIONS:
        ssm = world["entered"](world["member"])("ssm", region)
        document = ssm.get_document(Name="EnableS3BucketEncryptionWithKMS", DocumentFormat="YAML")
        assert "PutBucketEncryption" in document["Content"]
        kms = world["entered"](world["security"])("kms", region)
        key = kms.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]
        assert key["Arn"] in text
        assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
        assert "aws:PrincipalOrgID" in kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
    attached = world["entered"](world["security"])("iam").list_attached_role_policies(RoleName="orgseal")
    assert [policy["PolicyName"] for policy in attached["AttachedPolicies"]] == ["orgseal-caller"]
    policies = world["organizations"].list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    made = {policy["Name"]: policy["Id"] for policy in policies if policy["Name"].startswith("orgseal-")}
    assert set(made) == {"orgseal-scp-other-key", "orgseal-scp-keep-key"}
    assert not world["organizations"].list_targets_for_policy(PolicyId=made["orgseal-scp-other-key"])["Targets"]

    # Somebody weakens a trust, changes a document and adds a policy: each is named, and put right.
    iam.update_assume_role_policy(
        RoleName="orgseal-member",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
        ),
    )
    iam.put_role_policy(
        RoleName="orgseal-automation",
        PolicyName="more",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )
    ssm = world["entered"](world["member"])("ssm", "eu-west-1")
    changed = document["Content"].replace("default: true", "default: false")
    version = ssm.update_document(
        Name="EnableS3BucketEncryptionWithKMS", Content=changed, DocumentFormat="YAML", DocumentVersion="$LATEST"
    )["DocumentDescription"]["DocumentVersion"]
    ssm.update_document_default_version(Name="EnableS3BucketEncryptionWithKMS", DocumentVersion=version)
    done, found = world["run"]("diff")
    assert done.returncode == 2, done.stderr
    named = {
        (account["id"], finding["name"], finding["state"]): " ".join(finding["says"])
        for account in found["accounts"]
        for finding in account["findings"]
    }
    assert set(named) == {
        (world["member"], name, "differs")
        for name in ("orgseal-member", "orgseal-automation", "EnableS3BucketEncryptionWithKMS")
    }, named
    assert "policy more was not created by orgseal" in named[world["member"], "orgseal-automation", "differs"]
    assert "parameters.BucketKeyEnabled.default" in named[
        world["member"], "EnableS3BucketEncryptionWithKMS", "differs"
    ]
    done, _ = world["run"]("deploy", "--yes")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    # The rule of each Region, as its pack would make it in each account, and the aggregator. (moto's own PutOrganizationConformancePack fails
    # without a delivery bucket, which AWS does not ask for.)
    keys = [line.split('"')[1] for line in text.splitlines() if ":key/" in line]
    for account in (world["security"], world["member"]):
        for region in REGIONS:
            world["entered"](account)("config", region).put_config_rule(
                ConfigRule={
                    "ConfigRuleName": "s3-default-encryption-kms-conformance-pack-abcdefghi",
                    "InputParameters": json.dumps({"kmsKeyArns": next(key for key in keys if f":{region}:" in key)}),
                    "Scope": {"ComplianceResourceTypes": ["AWS::S3::Bucket"]},
                    "Source": {"Owner": "AWS", "SourceIdentifier": "S3_DEFAULT_ENCRYPTION_KMS"},
                }
            )
    done, deployed = world["run"]("deploy", "--yes", "--set", "bootstrap.config_rule=true")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert [(one["kind"], one["outcome"]) for one in deployed["done"]] == [("role", "made"), ("aggregator", "made")]

    done, gone = world["run"]("destroy", "--yes", "--set", "bootstrap.config_rule=true")
    assert done.returncode == 0 and gone["left"] == 0, f"{done.stdout}\n{done.stderr}"
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert not [name for name in names if name.startswith("orgseal")], names
    kms = world["entered"](world["security"])("kms", "us-east-1")
    assert kms.describe_key(KeyId="alias/orgseal-central")["KeyMetadata"]["KeyState"] == "Enabled"
