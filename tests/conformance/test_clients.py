"""What unchanged clients ask beside what orgseal asks: older operations, configurations that nothing models, services that are
not here, and S3 Control at the endpoint that the export lines name."""

import json
import unittest

import boto3
import botocore.config

from conformance import DOCUMENT, Case, accounts, buckets_of, client, enterable, environment, session


class Configurations(Case):
    """A bucket's configurations that nothing can put: each read says "not configured" as S3 does."""

    def setUp(self):
        account = enterable()[3]
        self.s3 = client("s3", credentials=session(account))
        self.bucket = {"Bucket": buckets_of(account, "us-east-1")[0]["name"]}

    def test_those_that_are_an_error(self):
        s3 = self.s3
        for code, read, more in [
            ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, {}),
            ("NoSuchCORSConfiguration", s3.get_bucket_cors, {}),
            ("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, {}),
            ("NoSuchWebsiteConfiguration", s3.get_bucket_website, {}),
            ("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, {}),
            ("NoSuchTagSet", s3.get_bucket_tagging, {}),
            ("MetadataConfigurationNotFound", s3.get_bucket_metadata_table_configuration, {}),
            ("MetadataConfigurationNotFound", s3.get_bucket_metadata_configuration, {}),
            ("NoSuchConfiguration", s3.get_bucket_analytics_configuration, {"Id": "a"}),
            ("NoSuchConfiguration", s3.get_bucket_metrics_configuration, {"Id": "a"}),
            ("NoSuchConfiguration", s3.get_bucket_intelligent_tiering_configuration, {"Id": "a"}),
            ("NoSuchConfiguration", s3.get_bucket_inventory_configuration, {"Id": "a"}),
        ]:
            with self.subTest(code=code, read=read.__name__):
                self.refused(code, 404, read, **self.bucket, **more)

    def test_those_that_are_a_default(self):
        s3 = self.s3
        for operation, read, wanted in [
            ("GetBucketRequestPayment", s3.get_bucket_request_payment, {"Payer": "BucketOwner"}),
            ("GetBucketAccelerateConfiguration", s3.get_bucket_accelerate_configuration, {}),
            ("GetBucketNotificationConfiguration", s3.get_bucket_notification_configuration, {}),
            ("GetBucketVersioning", s3.get_bucket_versioning, {}),
            ("GetBucketLogging", s3.get_bucket_logging, {}),
            ("ListBucketAnalyticsConfigurations", s3.list_bucket_analytics_configurations, {"IsTruncated": False}),
            ("ListBucketMetricsConfigurations", s3.list_bucket_metrics_configurations, {"IsTruncated": False}),
            ("ListBucketInventoryConfigurations", s3.list_bucket_inventory_configurations, {"IsTruncated": False}),
            (
                "ListBucketIntelligentTieringConfigurations",
                s3.list_bucket_intelligent_tiering_configurations,
                {"IsTruncated": False},
            ),
        ]:
            with self.subTest(operation=operation):
                answer = read(**self.bucket)
                self.shape(s3, operation, answer)
                answer.pop("ResponseMetadata")
                self.assertEqual(answer, wanted)

    def test_list_objects(self):
        for key in ["one", "two/three", "two/four"]:
            self.s3.put_object(**self.bucket, Key=key, Body=b"x", ServerSideEncryption="AES256")
            self.addCleanup(self.s3.delete_object, **self.bucket, Key=key)
        first = self.s3.list_objects(**self.bucket, MaxKeys=1)
        self.shape(self.s3, "ListObjects", first)
        self.assertEqual(([one["Key"] for one in first["Contents"]], first["IsTruncated"]), (["one"], True))
        self.assertIn("ID", first["Contents"][0]["Owner"])
        pages = self.s3.get_paginator("list_objects").paginate(**self.bucket, PaginationConfig={"PageSize": 1})
        self.assertEqual([one["Key"] for page in pages for one in page["Contents"]], ["one", "two/four", "two/three"])
        pages = self.s3.get_paginator("list_objects").paginate(
            **self.bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
        )
        prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
        self.assertEqual(prefixes, ["two/"])


class Regions(Case):
    def test_buckets_are_listed_from_every_region_that_is_on_by_default(self):
        keys = session(enterable()[3])
        here = [one["Name"] for one in client("s3", credentials=keys).list_buckets()["Buckets"]]
        for region in ["us-west-2", "eu-north-1", "ap-southeast-2"]:
            listed = client("s3", region, keys).list_buckets()["Buckets"]
            self.assertEqual([one["Name"] for one in listed], here, region)
            self.assertEqual(client("sts", region, keys).get_caller_identity()["Account"], enterable()[3])


class DirectoryBuckets(Case):
    def test_they_are_listed_under_their_own_permission(self):
        api = client("s3", credentials=session(enterable()[3]))
        answer = api.list_directory_buckets()
        self.shape(api, "ListDirectoryBuckets", answer)
        self.assertEqual(answer.get("Buckets", []), [])


class OtherServices(Case):
    """Services that are not modelled are refused in a way that each protocol's parser reads."""

    def setUp(self):
        self.keys = session(enterable()[3])

    def test_the_query_protocol(self):
        for service, call in [
            ("ec2", lambda api: api.describe_regions()),
            ("sns", lambda api: api.list_topics()),
            ("elbv2", lambda api: api.describe_load_balancers()),
            ("rds", lambda api: api.describe_db_instances()),
        ]:
            with self.subTest(service=service):
                refusal = self.refused("InvalidAction", 400, call, api=client(service, credentials=self.keys))
                self.assertIn("does not model", refusal["Error"]["Message"])

    def test_an_operation_of_a_modelled_service(self):
        refusal = self.refused("InvalidAction", 400, client("iam", credentials=self.keys).list_organizations_features)
        self.assertIn("Could not find operation", refusal["Error"]["Message"])

    def test_json(self):
        for service, call in [
            ("resourcegroupstaggingapi", lambda api: api.get_resources()),
            ("dynamodb", lambda api: api.list_tables()),
            ("logs", lambda api: api.describe_log_groups()),
            ("cloudwatch", lambda api: api.list_metrics()),
        ]:
            with self.subTest(service=service):
                self.refused("UnknownOperationException", 400, call, api=client(service, credentials=self.keys))

    def test_rest(self):
        for service, call in [
            ("lambda", lambda api: api.list_functions()),
            ("account", lambda api: api.list_regions()),
            ("macie2", lambda api: api.get_macie_session()),
            ("cloudfront", lambda api: api.list_distributions()),
            ("route53", lambda api: api.list_hosted_zones()),
        ]:
            with self.subTest(service=service):
                self.refused("UnknownOperationException", 404, call, api=client(service, credentials=self.keys))

    def test_credentials_that_are_none(self):
        unknown = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x", "SessionToken": None}
        self.refused("AuthFailure", 401, client("ec2", credentials=unknown).describe_regions)
        self.refused("InvalidClientTokenId", 403, client("sns", credentials=unknown).list_topics)
        self.refused("UnrecognizedClientException", 400, client("dynamodb", credentials=unknown).list_tables)
        self.refused("UnrecognizedClientException", 400, client("lambda", credentials=unknown).list_functions)


class Organizations(Case):
    def test_one_account_and_one_unit(self):
        api = client("organizations")
        wanted = accounts()[3]
        answer = api.describe_account(AccountId=wanted["Id"])
        self.shape(api, "DescribeAccount", answer)
        self.assertEqual(answer["Account"], wanted)
        self.refused("AccountNotFoundException", 400, api.describe_account, AccountId="999999999999")
        root = api.list_roots()["Roots"][0]["Id"]
        unit = api.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"][0]
        answer = api.describe_organizational_unit(OrganizationalUnitId=unit["Id"])
        self.shape(api, "DescribeOrganizationalUnit", answer)
        self.assertEqual(answer["OrganizationalUnit"], unit)
        self.refused(
            "OrganizationalUnitNotFoundException", 400, api.describe_organizational_unit,
            OrganizationalUnitId="ou-abcd-12345678",
        )


class Documents(Case):
    def test_json_is_the_default_format(self):
        api = client("ssm", credentials=session(enterable()[3]))
        answer = api.get_document(Name=DOCUMENT)
        self.shape(api, "GetDocument", answer)
        self.assertEqual(answer["DocumentFormat"], "JSON")
        self.assertEqual(json.loads(answer["Content"])["schemaVersion"], "0.3")
        yaml = api.get_document(Name=answer["Name"], DocumentFormat="YAML")
        self.assertEqual(yaml["DocumentFormat"], "YAML")
        self.assertIn("schemaVersion:", yaml["Content"])


class S3Control(Case):
    """The export lines name an endpoint that boto3 and the aws command line reach unchanged."""

    def api(self, endpoint=None):
        keys = session(enterable()[3])
        return boto3.session.Session().client(
            "s3control", region_name="us-east-1",
            endpoint_url=endpoint or environment()["AWS_ENDPOINT_URL_S3_CONTROL"],
            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"], config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def test_the_account_is_found(self):
        api, account = self.api(), enterable()[3]
        self.assertEqual(api.list_access_points(AccountId=account)["AccessPointList"], [])
        block = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
        api.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=block)
        self.addCleanup(api.delete_public_access_block, AccountId=account)
        self.assertEqual(api.get_public_access_block(AccountId=account)["PublicAccessBlockConfiguration"], block)
        self.refused("AccessDenied", 403, api.get_public_access_block, AccountId=enterable()[4])


if __name__ == "__main__":
    unittest.main()
