"""Prowler's S3 checks on a simulated account, and what they say of default encryption compared with what the sandbox holds.

Not a test that CI runs: Prowler is 2 GB. By hand:

    python3 -m venv /tmp/prowler && /tmp/prowler/bin/pip install -r tests/conformance/prowler.txt
    ORGSEAL_BIN=target/debug/orgseal ORGSEAL_PROWLER=/tmp/prowler/bin python3 tests/conformance/run_prowler.py

It ends by itself within 15 minutes: 0 where every check ran and agreed, 1 otherwise. The result is in docs/sandbox.md.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORGSEAL = os.environ.get("ORGSEAL_BIN", str(ROOT / "target/debug/orgseal"))
BIN = pathlib.Path(os.environ.get("ORGSEAL_PROWLER", pathlib.Path(sys.executable).parent))
LIMIT_SECONDS = 900
REGIONS = ["us-east-1", "eu-west-1"]
SPEC = """
seed = 13
accounts = 4
suspended = 0
without_member_role = 0
buckets_per_account = 8
regions = ["us-east-1", "eu-west-1"]

[encryption]
# No bucket is without a configuration: since January 2023 S3 has given each one SSE-S3, and Prowler reports anything else as an error.
none = 0
sse_s3 = 4
aws_managed = 2
sealed = 3
bucket_key_off = 2
customer_key = 2
"""


def serve(folder):
    (folder / "spec.toml").write_text(SPEC)
    command = [ORGSEAL, "sandbox", "--port", "0", "--speed", "50", "--spec", "spec.toml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    exports = {}
    for line in process.stdout:
        name, _, text = line.strip().removeprefix("export ").partition("=")
        if line.startswith("export ") and text:
            exports[name] = text.strip("'\"")
        if line.startswith("unset "):
            return process, exports
    raise RuntimeError("the sandbox did not print its export lines")


def prowler(folder, exports):
    """Prowler's findings, as it writes them (OCSF)."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "ORGSEAL_"))}
    # Prowler asks for temporary files and a configuration folder in the home directory.
    environment = {**kept, **exports, "HOME": str(folder)}
    command = [BIN / "prowler", "aws", "--services", "s3", "--region", *REGIONS]
    command += ["--output-formats", "json-ocsf", "--output-directory", folder / "out", "--output-filename", "s3"]
    command += ["--ignore-exit-code-3", "--no-banner", "--no-color", "--log-level", "ERROR"]
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    print(done.stdout[-4000:])
    print(done.stderr[-4000:], file=sys.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"prowler ended with {done.returncode}")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "CRITICAL" in line]
    # Which Regions are enabled, Prowler asks EC2, which is not modelled; it goes on with its own list.
    unexpected = [line for line in lines if "DescribeRegions" not in line]
    return json.loads((folder / "out/s3.ocsf.json").read_text()), unexpected


def disagreements(findings, buckets):
    """Buckets of which Prowler says another thing about KMS than what the sandbox holds."""
    kms = {name for name, bucket in buckets.items() if (bucket["encryption"] or {}).get("algorithm", "").startswith("aws:kms")}
    said = {
        finding["resources"][0]["uid"].split(":::")[-1]: finding["status_code"]
        for finding in findings
        if finding["metadata"]["event_code"] == "s3_bucket_kms_encryption"
    }
    wrong = [name for name in buckets if said.get(name) != ("PASS" if name in kms else "FAIL")]
    return wrong, len(said)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        process, exports = serve(folder)
        try:
            with urllib.request.urlopen(exports["AWS_ENDPOINT_URL"] + "/_sandbox/state", timeout=60) as answer:
                state = json.load(answer)
            findings, errors = prowler(folder, exports)
        finally:
            process.terminate()
            process.wait(60)
        own = {one["name"]: one for one in state["buckets"] if one["account"] == state["security_account"]}
        wrong, judged = disagreements(findings, own)
        counts = collections.Counter((one["metadata"]["event_code"], one["status_code"]) for one in findings)
        for (check, status), count in sorted(counts.items()):
            print(f"{count:5}  {status:6}  {check}")
        print(f"s3_bucket_kms_encryption: {judged} of {len(own)} buckets judged, {len(wrong)} otherwise than the sandbox holds")
        for line in errors:
            print("error:", line)
        return 1 if wrong or errors else 0


if __name__ == "__main__":
    sys.exit(main())
