"""S3: lists of buckets, default encryption, Regions and owners."""

import socket
import unittest
import unittest.mock
import urllib.parse

import boto3
import botocore.config

from conformance import CONFIG, Case, buckets_of, client, enterable, environment, session, state


def rule(algorithm, key=None, bucket_key=None, blocked=None):
    default = {"SSEAlgorithm": algorithm}
    if key is not None:
        default["KMSMasterKeyID"] = key
    made = {"ApplyServerSideEncryptionByDefault": default}
    if bucket_key is not None:
        made["BucketKeyEnabled"] = bucket_key
    if blocked is not None:
        made["BlockedEncryptionTypes"] = {"EncryptionType": blocked}
    return {"Rules": [made]}


class S3(Case):
    def setUp(self):
        self.account = enterable()[1]
        self.other = enterable()[2]
        self.s3 = client("s3", credentials=session(self.account))
        self.bucket = buckets_of(self.account, "us-east-1")[0]["name"]
        self.abroad = next(b for b in buckets_of(self.account) if b["region"] != "us-east-1")

    def get(self, bucket=None):
        answer = self.s3.get_bucket_encryption(Bucket=bucket or self.bucket)
        self.shape(self.s3, "GetBucketEncryption", answer)
        return answer["ServerSideEncryptionConfiguration"]

    def test_list_buckets_without_pages_has_no_region(self):
        answer = self.s3.list_buckets()
        self.shape(self.s3, "ListBuckets", answer)
        self.assertEqual([b["Name"] for b in answer["Buckets"]], sorted(b["name"] for b in buckets_of(self.account)))
        self.assertTrue(all("BucketRegion" not in b for b in answer["Buckets"]))
        self.assertNotIn("ContinuationToken", answer)
        self.assertEqual(len(answer["ResponseMetadata"]["RequestId"]), 16)
        self.assertIn("x-amz-id-2", answer["ResponseMetadata"]["HTTPHeaders"])

    def test_list_buckets_in_pages(self):
        wanted = {b["name"]: b["region"] for b in buckets_of(self.account)}
        seen, pages, token = {}, 0, None
        while True:
            page = self.s3.list_buckets(MaxBuckets=5, **({"ContinuationToken": token} if token else {}))
            self.shape(self.s3, "ListBuckets", page)
            self.assertLessEqual(len(page["Buckets"]), 5)
            seen.update({b["Name"]: b["BucketRegion"] for b in page["Buckets"]})
            pages += 1
            token = page.get("ContinuationToken")
            if not token:
                break
        self.assertEqual(seen, wanted)
        self.assertEqual(pages, -(-len(wanted) // 5))

    def test_list_buckets_filters(self):
        prefix = self.bucket[:-14]
        answer = self.s3.list_buckets(Prefix=prefix)
        self.assertEqual(answer["Prefix"], prefix)
        self.assertEqual(
            [b["Name"] for b in answer["Buckets"]],
            sorted(b["name"] for b in buckets_of(self.account) if b["name"].startswith(prefix)),
        )
        here = self.s3.list_buckets(BucketRegion="us-east-1")["Buckets"]
        self.assertEqual({b["Name"] for b in here}, {b["name"] for b in buckets_of(self.account, "us-east-1")})
        self.refused("InvalidArgument", 400, self.s3.list_buckets, BucketRegion="eu-west-1")
        self.refused("InvalidArgument", 400, self.s3.list_buckets, ContinuationToken="zz")
        unchecked = client("s3", credentials=session(self.account), config=CONFIG.merge(botocore.config.Config(parameter_validation=False)))
        self.refused("InvalidArgument", 400, unchecked.list_buckets, MaxBuckets=10001)

    def test_what_was_put_comes_back_verbatim(self):
        put = self.s3.put_bucket_encryption
        for key in ["alias/team-key", "83f85287-3b72-499d-9a14-b0284bd5847f", "arn:aws:kms:eu-west-1:1:key/none & <nowhere>"]:
            for algorithm in ["aws:kms", "aws:kms:dsse"]:
                configuration = rule(algorithm, key, True, ["SSE-C"])
                put(Bucket=self.bucket, ServerSideEncryptionConfiguration=configuration)
                self.assertEqual(self.get(), configuration)

    def test_a_put_replaces_the_whole_rule(self):
        put = self.s3.put_bucket_encryption
        put(Bucket=self.bucket, ServerSideEncryptionConfiguration=rule("aws:kms", "k", True, ["SSE-C"]))
        put(Bucket=self.bucket, ServerSideEncryptionConfiguration=rule("aws:kms"))
        # The blocked types stay where a put omits them.
        self.assertEqual(self.get(), rule("aws:kms", bucket_key=False, blocked=["SSE-C"]))
        put(Bucket=self.bucket, ServerSideEncryptionConfiguration=rule("AES256", blocked=["NONE"]))
        self.assertEqual(self.get(), rule("AES256", bucket_key=False, blocked=["NONE"]))

    def test_delete_goes_back_to_sse_s3(self):
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=rule("aws:kms", "k", True, ["NONE"]))
        answer = self.s3.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.get(), rule("AES256", bucket_key=False, blocked=["NONE"]))

    def test_what_put_refuses(self):
        unchecked = client("s3", credentials=session(self.account), config=CONFIG.merge(botocore.config.Config(parameter_validation=False)))
        two = {"Rules": rule("AES256")["Rules"] * 2}
        for configuration, code in [
            (rule("AES256", "k"), "InvalidArgument"),
            (two, "MalformedXML"),
            ({"Rules": []}, "MalformedXML"),
            (rule("rot13"), "MalformedXML"),
            (rule("aws:kms", blocked=["SSE-KMS"]), "MalformedXML"),
        ]:
            self.refused(
                code, 400, unchecked.put_bucket_encryption,
                Bucket=self.bucket, ServerSideEncryptionConfiguration=configuration,
            )

    def test_no_configuration(self):
        bare = [b for b in state()["buckets"] if b["encryption"] is None and b["account"] in enterable()[3:]]
        if not bare:
            self.skipTest("this organization has no bucket without configuration")
        api = client("s3", bare[0]["region"], session(bare[0]["account"]))
        self.refused(
            "ServerSideEncryptionConfigurationNotFoundError", 404, api.get_bucket_encryption, Bucket=bare[0]["name"]
        )

    def test_head_and_location(self):
        head = self.s3.head_bucket(Bucket=self.bucket)
        self.shape(self.s3, "HeadBucket", head)
        self.assertEqual(head["BucketRegion"], "us-east-1")
        location = self.s3.get_bucket_location(Bucket=self.bucket)
        self.shape(self.s3, "GetBucketLocation", {k: v for k, v in location.items() if v is not None})
        self.assertIsNone(location["LocationConstraint"])
        self.assertEqual(
            self.s3.get_bucket_location(Bucket=self.abroad["name"])["LocationConstraint"], self.abroad["region"]
        )
        self.s3.get_waiter("bucket_exists").wait(Bucket=self.bucket, WaiterConfig={"MaxAttempts": 1})

    def test_another_regions_bucket_redirects(self):
        statuses = []
        self.s3.meta.events.register("response-received.s3", lambda response_dict, **_: statuses.append(
            (response_dict["status_code"], response_dict["headers"].get("x-amz-bucket-region"))))
        # botocore follows the redirect by itself, signing for the Region that the header names.
        self.s3.head_bucket(Bucket=self.abroad["name"])
        self.assertEqual(statuses[0], (301, self.abroad["region"]))
        self.assertEqual(statuses[-1][0], 200)

    def test_other_owners(self):
        foreign = buckets_of(self.other, "us-east-1")[0]["name"]
        self.refused("AccessDenied", 403, self.s3.get_bucket_encryption, Bucket=foreign)
        self.refused("403", 403, self.s3.head_bucket, Bucket=foreign)
        self.refused(
            "AccessDenied", 403, self.s3.put_bucket_encryption,
            Bucket=foreign, ServerSideEncryptionConfiguration=rule("AES256"),
        )
        self.refused("AccessDenied", 403, self.s3.delete_bucket_encryption, Bucket=foreign)
        self.refused("NoSuchBucket", 404, self.s3.get_bucket_encryption, Bucket=f"never-was-{self.account}")
        self.refused("404", 404, self.s3.head_bucket, Bucket="never-was")

    def test_expected_owner(self):
        self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self.account)
        self.refused(
            "AccessDenied", 403, self.s3.get_bucket_encryption, Bucket=self.bucket, ExpectedBucketOwner=self.other
        )
        before = self.get()
        self.refused(
            "AccessDenied", 403, self.s3.put_bucket_encryption, Bucket=self.bucket,
            ExpectedBucketOwner=self.other, ServerSideEncryptionConfiguration=rule("aws:kms", "x"),
        )
        self.assertEqual(self.get(), before)
        self.refused(
            "InvalidBucketOwnerAWSAccountID", 400, self.s3.get_bucket_encryption,
            Bucket=self.bucket, ExpectedBucketOwner="me",
        )

    def test_virtual_host_style(self):
        port = urllib.parse.urlparse(environment()["AWS_ENDPOINT_URL"]).port
        keys = session(self.account)
        api = boto3.client(
            "s3", region_name="us-east-1", endpoint_url=f"http://localhost:{port}",
            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=botocore.config.Config(s3={"addressing_style": "virtual"}, retries={"total_max_attempts": 1}),
        )
        hosts = []
        api.meta.events.register("before-send.s3", lambda request, **_: hosts.append(request.url))
        # Not every machine resolves names below localhost.
        resolve = socket.getaddrinfo
        loopback = lambda host, *rest, **named: resolve("127.0.0.1" if str(host).endswith("localhost") else host, *rest, **named)
        with unittest.mock.patch("socket.getaddrinfo", loopback):
            self.assertEqual(api.head_bucket(Bucket=self.bucket)["BucketRegion"], "us-east-1")
        self.assertIn(f"{self.bucket}.localhost", hosts[0])

    def test_credentials_that_are_none(self):
        unknown = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x", "SessionToken": None}
        self.refused("InvalidAccessKeyId", 403, client("s3", credentials=unknown).list_buckets)

    def test_operations_that_are_not_modelled(self):
        self.refused("NotImplemented", 501, self.s3.list_object_versions, Bucket=self.bucket)
        self.refused("NotImplemented", 501, self.s3.get_object_acl, Bucket=self.bucket, Key="k")


if __name__ == "__main__":
    unittest.main()
