"""LookupEvents, and how boto3 takes the faults and rates: every shape by botocore's own model."""

import json
import unittest
import urllib.request

import botocore.config
import botocore.exceptions

from conformance import CONFIG, Case, client, enterable, environment, session

PATIENT = CONFIG.merge(botocore.config.Config(retries={"total_max_attempts": 3, "mode": "standard"}))


def order(faults):
    request = urllib.request.Request(
        environment()["AWS_ENDPOINT_URL"] + "/_sandbox/faults", json.dumps(faults).encode(), method="PUT"
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class LookupEvents(Case):
    def test_events_have_their_shape_and_their_pages(self):
        keys = session(enterable()[3])
        ssm, trail = client("ssm", credentials=keys), client("cloudtrail", credentials=keys)
        for _ in range(4):
            ssm.describe_automation_executions()
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "DescribeAutomationExecutions"}]
        first = trail.lookup_events(LookupAttributes=wanted, MaxResults=3)
        self.shape(trail, "LookupEvents", first)
        rest = trail.lookup_events(LookupAttributes=wanted, MaxResults=3, NextToken=first["NextToken"])
        ids = [event["EventId"] for event in first["Events"] + rest["Events"]]
        self.assertGreaterEqual(len(ids), 4)
        self.assertEqual(len(ids), len(set(ids)))
        record = json.loads(first["Events"][0]["CloudTrailEvent"])
        self.assertEqual(record["eventSource"], "ssm.amazonaws.com")
        self.assertEqual(record["userIdentity"]["accountId"], record["recipientAccountId"])
        self.assertIn("Boto3", record["userAgent"])

    def test_what_it_refuses(self):
        trail = client("cloudtrail", credentials=session(enterable()[4]))
        self.refused("InvalidNextTokenException", 400, trail.lookup_events, NextToken="nonsense")
        self.refused("InvalidTimeRangeException", 400, trail.lookup_events, StartTime=2, EndTime=1)


class Throttling(Case):
    """botocore must know each service's throttling error as one, and come again."""

    def test_each_services_throttling_is_retried(self):
        account = enterable()[5]
        keys = session(account)
        calls = {
            "s3": lambda api: api.list_buckets(),
            "ssm": lambda api: api.describe_automation_executions(),
            "kms": lambda api: api.describe_key(KeyId="alias/aws/s3"),
            "sts": lambda api: api.get_caller_identity(),
            "cloudtrail": lambda api: api.lookup_events(),
        }
        try:
            for service, call in calls.items():
                order([{"kind": "throttle", "first": 1, "where": {"account": account, "service": service}}])
                answer = call(client(service, credentials=keys, config=PATIENT))
                self.assertEqual(answer["ResponseMetadata"]["RetryAttempts"], 1, service)
            order([{"kind": "throttle", "first": 1, "where": {"service": "organizations"}}])
            answer = client("organizations", config=PATIENT).describe_organization()
            self.assertEqual(answer["ResponseMetadata"]["RetryAttempts"], 1)
        finally:
            order([])

    def test_broken_connections_and_garbage_are_what_botocore_says_they_are(self):
        account = enterable()[5]
        s3 = client("s3", credentials=session(account))
        only = {"account": account, "operation": "ListBuckets"}
        try:
            # botocore reports an S3 body that it cannot read as a 500, to be tried again.
            for kind, error in [
                ("reset_before", botocore.exceptions.ConnectionClosedError),
                ("half_sent", botocore.exceptions.ClientError),
                ("malformed", botocore.exceptions.ClientError),
            ]:
                order([{"kind": kind, "where": only}])
                with self.assertRaises(error, msg=kind):
                    s3.list_buckets()
        finally:
            order([])


if __name__ == "__main__":
    unittest.main()
