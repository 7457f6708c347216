"""Signatures: made by botocore, then broken in one place each."""

import datetime
import unittest
import unittest.mock
import urllib.error
import urllib.request

import botocore.auth
import botocore.config

from conformance import CONFIG, Case, buckets_of, client, enterable, environment, member_session, session

# What each service says to a signature that does not fit, with the HTTP status.
MISMATCH = {
    "sts": ("SignatureDoesNotMatch", 403),
    "s3": ("SignatureDoesNotMatch", 403),
    "organizations": ("InvalidSignatureException", 400),
    "ssm": ("InvalidSignatureException", 400),
    "kms": ("InvalidSignatureException", 400),
}


def call(service, api):
    return {
        "sts": lambda: api.get_caller_identity(),
        "s3": lambda: api.list_buckets(),
        "organizations": lambda: api.list_roots(),
        "ssm": lambda: api.describe_automation_executions(),
        "kms": lambda: api.describe_key(KeyId="alias/orgseal-central"),
    }[service]


def user():
    names = environment()
    return {"AccessKeyId": names["AWS_ACCESS_KEY_ID"], "SecretAccessKey": names["AWS_SECRET_ACCESS_KEY"], "SessionToken": None}


def tampered(api, change):
    """Lets `change` loose on each request after it was signed."""
    api.meta.events.register("before-send.*", lambda request, **_: change(request))
    return api


class Signatures(Case):
    def test_each_service_takes_a_good_one(self):
        for service in MISMATCH:
            call(service, client(service))()

    def test_another_secret(self):
        for service, (code, status) in MISMATCH.items():
            wrong = {**user(), "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
            answer = self.refused(code, status, call(service, client(service, credentials=wrong)))
            self.assertRegex(answer["Error"]["Message"], "^The request signature we calculated does not match")

    def test_another_body(self):
        def change(request):
            # As long as before: Content-Length was sent already.
            body = request.body if isinstance(request.body, bytes) else request.body.encode()
            request.body = body[:-1] + b"~"

        for service in ["sts", "kms", "organizations"]:
            code, status = MISMATCH[service]
            self.refused(code, status, call(service, tampered(client(service), change)))
        account = enterable()[0]
        bucket = buckets_of(account, "us-east-1")[0]["name"]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3 = tampered(client("s3", credentials=session(account)), change)
        self.refused(
            "XAmzContentSHA256Mismatch", 400, s3.put_bucket_encryption,
            Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]},
        )

    def test_another_path_or_query(self):
        account = enterable()[0]
        bucket = buckets_of(account, "us-east-1")[0]["name"]

        def change(request):
            request.url = request.url.replace("encryption", "location")

        s3 = tampered(client("s3", credentials=session(account)), change)
        self.refused("SignatureDoesNotMatch", 403, s3.get_bucket_encryption, Bucket=bucket)

    def test_a_header_that_is_not_signed(self):
        s3 = tampered(client("s3"), lambda request: request.headers.__setitem__("x-amz-expected-bucket-owner", "1" * 12))
        self.refused("AccessDenied", 403, s3.list_buckets)

    def test_clocks(self):
        def at(minutes):
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            return unittest.mock.patch.object(
                botocore.auth, "get_current_datetime", lambda: now + datetime.timedelta(minutes=minutes)
            )

        for minutes in [-6, 6]:
            with at(minutes):
                for service in ["sts", "kms", "ssm", "organizations"]:
                    code, status = MISMATCH[service]
                    answer = self.refused(code, status, call(service, client(service)))
                    self.assertRegex(answer["Error"]["Message"], r"^Signature (expired|not yet current): .* 5 min\.\)$")
                call("s3", client("s3"))()
        for minutes in [-16, 16]:
            with at(minutes):
                self.refused("RequestTimeTooSkewed", 403, call("s3", client("s3")))
        with at(4):
            for service in MISMATCH:
                call(service, client(service))()

    def test_a_missing_or_wrong_token(self):
        good = member_session(enterable()[0])
        missing = {**good, "SessionToken": None}
        wrong = {**good, "SessionToken": "another"}
        for service, code, status in [
            ("sts", "InvalidClientTokenId", 403),
            ("ssm", "UnrecognizedClientException", 400),
            ("s3", "InvalidAccessKeyId", 403),
        ]:
            self.refused(code, status, call(service, client(service, credentials=missing)))
        self.refused("InvalidClientTokenId", 403, call("sts", client("sts", credentials=wrong)))
        self.refused("InvalidToken", 400, call("s3", client("s3", credentials=wrong)))

    def test_presigned(self):
        account = enterable()[0]
        bucket = buckets_of(account, "us-east-1")[0]["name"]
        api = client("s3", credentials=session(account), config=CONFIG.merge(botocore.config.Config(signature_version="s3v4")))
        url = api.generate_presigned_url("get_bucket_location", Params={"Bucket": bucket}, ExpiresIn=60)
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.status, 200)
        for broken in [url.replace("location", "encryption"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")]:
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(broken)
            self.assertEqual(caught.exception.code, 403)
            self.assertIn(b"SignatureDoesNotMatch", caught.exception.read())
        sts = client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        with urllib.request.urlopen(sts) as answer:
            self.assertEqual(answer.status, 200)

    def test_keys_and_paths_with_odd_letters(self):
        """The path is signed as S3 does it: encoded once, not normalised. The bucket is missing, the signature good."""
        s3 = client("s3")
        for name in ["a..b", "a.b-c"]:
            self.refused("NoSuchBucket", 404, s3.get_bucket_encryption, Bucket=name)


if __name__ == "__main__":
    unittest.main()
