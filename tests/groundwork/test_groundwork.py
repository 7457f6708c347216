"""The groundwork before other people's checkers: cfn-lint, parliament, python-hcl2, shellcheck. Each campaign renders another one."""

import json
import os
import pathlib
import subprocess
import sys

import hcl2
import parliament
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(sys.executable).parent
MRK = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
# The 17 Regions that are enabled by default, and 13 that are opted into.
THIRTY = (
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-north-1 "
    "ap-south-1 ap-southeast-1 ap-southeast-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 "
    "af-south-1 ap-east-1 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ca-west-1 eu-central-2 eu-south-1 eu-south-2 "
    "il-central-1 me-central-1 me-south-1"
).split()
CAMPAIGNS = {
    "as shipped": [],
    "with everything": [
        "member_role.external_id=SECRET-EXTERNAL-ID",
        "document.owner=111122223333",
        "bootstrap.management_account=999988887777",
        "bootstrap.permissions_boundary=true",
        'bootstrap.key_administrators=["arn:aws:iam::111122223333:role/KeyAdministrator"]',
        'bootstrap.break_glass=["arn:aws:iam::*:role/break-glass"]',
        'bootstrap.pipelines=["arn:aws:iam::*:role/cdk-*", "arn:aws:iam::*:role/terraform"]',
        'bootstrap.services=["logging.s3.amazonaws.com", "delivery.logs.amazonaws.com"]',
    ],
    "one key for all Regions": [f'central_key={{ multi_region_key = "{MRK}" }}'],
    "thirty Regions": [
        f"regions={json.dumps(THIRTY)}",
        "central_key={ " + ", ".join(f'{region} = "{MRK.replace("us-east-1", region)}"' for region in THIRTY) + " }",
        'bootstrap.services=["acm-pca.amazonaws.com", "config.amazonaws.com", "cloudfront.amazonaws.com"]',
        'bootstrap.service_accounts=["222233334444", "333344445555"]',
    ],
}
# What parliament says of policies whose actions take no resource, or which are no identity policies: it knows those alone.
ACCEPTED = {
    "RESOURCE_STAR",
    # S3's condition key is of the type ARN, and AWS's own examples compare it as a string.
    "MISMATCHED_TYPE_BUT_USABLE",
}


@pytest.fixture(scope="module", params=list(CAMPAIGNS), ids=list(CAMPAIGNS))
def groundwork(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("groundwork")
    sets = [argument for value in CAMPAIGNS[request.param] for argument in ("--set", value)]
    binary = os.environ.get("ORGSEAL_BIN", str(ROOT / "target/debug/orgseal"))
    command = [binary, "bootstrap", "render", str(folder), "--config", str(ROOT / "config/orgseal.toml")]
    subprocess.run([*command, "--set", "organization.id=o-a1b2c3d4e5", *sets], check=True, capture_output=True)
    return folder


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_templates_are_what_cloudformation_takes(groundwork, tmp_path):
    templates = sorted((groundwork / "cloudformation").glob("*.json"))
    assert len(templates) >= 5
    # CreateStackSet and PutOrganizationConformancePack take so much in a request.
    assert all(template.stat().st_size < 51_200 for template in templates)
    # E3051 gives YAML inside JSON to a parser that takes no subclass of str: it looks at the same content as an object below.
    run(TOOLS / "cfn-lint", "--ignore-checks", "E3051", "--regions", "us-east-1", "eu-west-1", "--", *templates)
    documents = json.loads((groundwork / "cloudformation/documents.json").read_text())
    for document in documents["Resources"].values():
        assert document["Properties"].pop("DocumentFormat") == "YAML"
        document["Properties"]["Content"] = yaml.safe_load(document["Properties"]["Content"])
    as_objects = tmp_path / "documents.json"
    as_objects.write_text(json.dumps(documents))
    run(TOOLS / "cfn-lint", as_objects)


def test_the_conformance_pack_holds_rules_and_nothing_that_remedies(groundwork):
    packs = sorted((groundwork / "aws-config").glob("conformance-pack-*.yaml"))
    assert len(packs) >= 2
    for path in packs:
        region = path.stem.removeprefix("conformance-pack-")
        pack = path.read_text()
        assert "AWS::Config::ConfigRule" in pack and "Remediation" not in pack
        assert {arn.split(":")[3] for arn in pack.split() if arn.startswith("arn:")} == {region}
        run(TOOLS / "cfn-lint", path)


def test_policies_name_what_there_is(groundwork):
    policies = sorted(groundwork.glob("policies/*.json")) + sorted(groundwork.glob("guardrails/*.json"))
    assert len(policies) >= 16
    for path in policies:
        # A trust has no resource, and parliament takes it for malformed.
        if path.stem.endswith("-trust"):
            continue
        findings = parliament.analyze_policy_string(path.read_text()).findings
        # aws:SourceOrgID is younger than parliament's list of keys.
        strange = [
            finding
            for finding in findings
            if finding.issue not in ACCEPTED and "Unknown condition aws:SourceOrgID" not in str(finding)
        ]
        assert not strange, f"{path.name}: {strange}"


def test_both_forms_of_a_guardrail_mean_the_same(groundwork):
    for path in groundwork.glob("guardrails/*.min.json"):
        readable = path.with_name(path.name.replace(".min.json", ".json"))
        assert json.loads(path.read_text()) == json.loads(readable.read_text()), path.name
        assert len(path.read_text()) <= 5_120, path.name


def test_modules_are_hcl_and_read_files_that_are_there(groundwork):
    modules = sorted(groundwork.glob("terraform/*/main.tf"))
    assert len(modules) == 3
    for module in modules:
        with module.open() as text:
            assert hcl2.load(text)["resource"], module
        named = [part.split('"')[0] for part in module.read_text().split('file("${path.module}/')[1:]]
        missing = [name for name in named if "${" not in name and not (module.parent / name).resolve().exists()]
        assert named and not missing, f"{module}: {missing}"


def test_the_script_is_sound(groundwork):
    run(TOOLS / "shellcheck", groundwork / "shell/deploy.sh")
    asked = subprocess.run([groundwork / "shell/deploy.sh"], capture_output=True, text=True)
    assert asked.returncode == 1 and "STEP" in asked.stdout
    text = (groundwork / "shell/deploy.sh").read_text()
    named = {part.split('"')[0] for part in text.split("$here/")[1:]}
    assert all((groundwork / name).exists() for name in named if "$" not in name), named


def test_no_file_holds_the_external_id(groundwork):
    for path in groundwork.rglob("*"):
        assert path.is_dir() or "SECRET-EXTERNAL-ID" not in path.read_text(), path
