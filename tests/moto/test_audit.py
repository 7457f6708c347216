"""An audit of moto, other people's AWS: the same verdicts as a judge that was written apart from orgseal.

moto's ListBuckets carries no BucketRegion, so each bucket costs one HeadBucket here.
ORGSEAL_BIN names the binary; moto is started on a free port.
"""

import json
import os
import pathlib
import subprocess

from conftest import session

ROLE = "orgseal-member"
REGIONS = ["us-east-1", "eu-west-1"]
ALGORITHMS = {
    "none": None,
    "sse-s3": {"SSEAlgorithm": "AES256"},
    "aws-managed": {"SSEAlgorithm": "aws:kms"},
    "aws-managed-alias": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"},
    "central": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "{central}"},
    "central-dsse": {"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "{central}"},
    "own": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "{own}"},
    "alias": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/team"},
    "far": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "{far}"},
}


def expected(rule, central, region):
    """What product.md says of a configuration, in as few words as it takes."""
    default = (rule or {}).get("ApplyServerSideEncryptionByDefault")
    if default is None or default["SSEAlgorithm"] == "AES256":
        return "not_sealed"
    key = default.get("KMSMasterKeyID")
    if default["SSEAlgorithm"] == "aws:kms":
        if key in (None, "alias/aws/s3"):
            return "not_sealed"
        if key == central[region]:
            return "sealed" if rule.get("BucketKeyEnabled") else "not_sealed"
        return "not_sealed" if key in central.values() else "held"
    return "sealed" if key == central[region] else "held"


def test_the_same_verdicts(endpoint, tmp_path):
    management = session(endpoint)
    organizations = management("organizations")
    organizations.create_organization(FeatureSet="ALL")
    created = [
        organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"]
        for name in ("payments", "analytics")
    ]
    caller = management("sts").get_caller_identity()["Account"]
    central = {
        region: management("kms", region).create_key()["KeyMetadata"]["Arn"] for region in REGIONS
    }
    verdicts = {}
    for account in [caller, *created]:
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        entered = management
        if account != caller:
            first = management("sts").assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="setup"
            )
            entered = session(endpoint, first["Credentials"])
        entered("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)
        for region in REGIONS:
            s3 = entered("s3", region)
            far = central[REGIONS[1 - REGIONS.index(region)]]
            own = f"arn:aws:kms:{region}:{account}:key/11111111-2222-3333-4444-555555555555"
            for name, default in ALGORITHMS.items():
                for bucket_key in (True, False):
                    bucket = f"{account}-{region}-{name}-{str(bucket_key).lower()}"
                    place = {} if region == "us-east-1" else {
                        "CreateBucketConfiguration": {"LocationConstraint": region}
                    }
                    s3.create_bucket(Bucket=bucket, **place)
                    if default is not None:
                        filled = {k: v.format(central=central[region], own=own, far=far) for k, v in default.items()}
                        s3.put_bucket_encryption(
                            Bucket=bucket,
                            ServerSideEncryptionConfiguration={
                                "Rules": [
                                    {"ApplyServerSideEncryptionByDefault": filled, "BucketKeyEnabled": bucket_key}
                                ]
                            },
                        )
                    try:
                        answer = s3.get_bucket_encryption(Bucket=bucket)
                        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
                    except s3.exceptions.ClientError as error:
                        assert error.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError"
                        rule = None
                    verdicts[bucket] = expected(rule, central, region)

    keys = "\n".join(f'{region} = "{arn}"' for region, arn in central.items())
    campaign = tmp_path / "campaign.toml"
    campaign.write_text(
        f'[member_role]\nname = "{ROLE}"\n[central_key]\n{keys}\n'
        '[document]\nname = "EnableS3BucketEncryptionWithKMS"\n[automation_role]\nname = "orgseal-automation"\n'
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    binary = pathlib.Path(os.environ["ORGSEAL_BIN"]).resolve()
    run = subprocess.run(
        [binary, "audit", "--json", "--config", campaign, "--state", tmp_path / "state"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 2, run.stderr
    document = json.loads(run.stdout)
    found = {finding["bucket"]: finding["verdict"] for finding in document["findings"]}
    assert len(verdicts) == 3 * 2 * 2 * len(ALGORITHMS)
    assert found == verdicts
    assert document["summary"]["accounts_unread"] == 0
