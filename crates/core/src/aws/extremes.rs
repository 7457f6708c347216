//! Every typed field of the answers that orgseal reads, at its extremes: an answer may be refused, and never ends a task.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use super::answers::checked;
use super::sts::{RoleAssumer, RoleRequest};
use super::{CallLimits, Member, Window};
use crate::judge::KnownDenials;
use crate::model::{Bucket, KeyArn, Need};

/// What a field holds instead of what its type promises.
const VALUES: [&str; 17] = [
    "0",
    "-1",
    "-0.0",
    "1e-300",
    "1.8e19",
    "-1e300",
    "1e308",
    "1e400",
    "9223372036854775807",
    "-9223372036854775808",
    "253402300800",
    "-62135596801",
    "null",
    "true",
    "\"\"",
    "\"\\u0000\\ud800\"",
    "[]",
];
const TIMES: [&str; 8] = [
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-9999-01-01T00:00:00Z",
    "+292277026596-12-04T15:30:07Z",
    "1970-01-01T00:00:60.999999999999Z",
    "-1e300",
    "",
    "&#x1F512;",
];

/// Gives one answer to everything.
#[derive(Clone, Debug)]
struct Always(String);

impl HttpConnector for Always {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = SdkBody::from(self.0.clone());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), body)))
    }
}

/// Retries come at once: an answer stays what it is.
#[derive(Debug)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

fn config(body: &str) -> SdkConfig {
    let always = Always(body.to_owned());
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(checked(http_client_fn(move |_, _| SharedHttpConnector::new(always.clone()))))
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(NoSleep))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test")))
        .build()
}

/// The template with each pair of values in the places of `#` and `@`, which stand for any number of fields.
fn filled<'a>(template: &'a str, values: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    values.iter().flat_map(move |one| {
        let pairs = [values[4], values[5]];
        pairs.map(|other| template.replace('#', one).replace('@', other))
    })
}

fn key() -> KeyArn {
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap()
}

fn bucket() -> Bucket {
    Bucket { account: "111122223333".into(), region: "us-east-1".into(), name: "logs".into() }
}

#[tokio::test]
async fn no_value_in_a_json_answer_ends_a_task() {
    let templates = [
        r#"{"AutomationExecutionMetadataList":[{"AutomationExecutionId":"1","AutomationExecutionStatus":"Success",
            "ExecutionStartTime":#,"ExecutionEndTime":@,"MaxErrors":#}],"NextToken":@}"#,
        r#"{"AutomationExecutionMetadataList":#,"NextToken":@}"#,
        r#"{"AutomationExecution":{"AutomationExecutionStatus":#,"ExecutionStartTime":@,"Parameters":{"BucketName":#},
            "StepExecutions":[{"StepName":@,"TimeoutSeconds":#,"MaxAttempts":@,"FailureMessage":#}]}}"#,
        r#"{"KeyMetadata":{"KeyId":"k","Arn":#,"Enabled":@,"CreationDate":#,"DeletionDate":@,"ValidTo":#,"KeyState":@,
            "PendingDeletionWindowInDays":#}}"#,
        r##"{"Events":[{"EventId":#,"EventTime":@,"CloudTrailEvent":"{\"errorCode\":\"AccessDenied\",\"eventName\":\"Decrypt\",\"eventTime\":\"9999-12-30T22:00:00Z\"}"},
            {"EventTime":#}],"NextToken":@}"##,
        r#"{"ConfigRules":[{"ConfigRuleName":#,"Source":{"Owner":@,"SourceIdentifier":#}}],
            "RemediationConfigurations":[{"ConfigRuleName":"r","TargetType":"SSM_DOCUMENT","TargetId":#,"Automatic":@,"MaximumAutomaticAttempts":#,
            "RetryAttemptSeconds":@}],"RemediationExceptions":[{"ConfigRuleName":"r","ResourceType":"t","ResourceId":"i","ExpirationTime":#}],
            "NextToken":@}"#,
        r#"{"Content":#,"DocumentVersion":@,"Document":{"Hash":#,"CreatedDate":@},"Policy":#}"#,
        r#"{"Accounts":[{"Id":#,"State":@,"JoinedTimestamp":#,"Paths":@}],"Organization":#,"NextToken":@}"#,
    ];
    for (kind, template) in templates.iter().enumerate() {
        for body in filled(template, &VALUES) {
            read_json(kind, &body).await;
        }
    }
}

/// Calls what reads the answers of a template, and counts with what it returns as its callers do.
async fn read_json(kind: usize, body: &str) {
    let config = config(body);
    let member = Member::for_test(&config, "111122223333", CallLimits { s3: 1, ssm: 1 });
    let (ssm, day) = (member.ssm("us-east-1"), SignedDuration::from_hours(24));
    match kind {
        0 | 1 => {
            let seen = ssm.unfinished(None).await.map(|(seen, _)| seen).unwrap_or_default();
            seen.into_iter().for_each(|execution| crate::campaign::learn_for_test(execution.took));
        }
        2 => drop(ssm.explain("id").await),
        3 => {
            let facts = member.describe_key("us-east-1", "k").await.ok();
            let dates = facts.into_iter().flat_map(|facts| [facts.deletion_date, facts.valid_to]).flatten();
            dates.for_each(|at| assert!(at + day > at - day));
        }
        4 => {
            let to: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
            let (key, window) = (key(), Window { from: to - SignedDuration::from_hours(1), to });
            // It repeats by itself, at CloudTrail's slow rate: the first answer is enough.
            let read = member.kms_denials("us-east-1", &key, window, 1, KnownDenials::default());
            if let Ok(Ok(read)) = tokio::time::timeout(Duration::from_millis(5), read).await {
                let times = read.oldest.into_iter().chain(read.denied.into_iter().map(|denied| denied.last));
                times.for_each(|at| assert!(at + day > at - day));
            }
        }
        5 => drop(member.automatic_remediations("us-east-1", "document").await),
        6 => {
            drop(ssm.document("name", None).await);
            drop(ssm.document_hash("name", "1").await);
            drop(member.describe_key("us-east-1", "k").await);
        }
        _ => {
            let halt = super::Halt::new(aws_sdk_sts::Client::new(&config));
            let organizations = super::Organizations::new(&config, &halt);
            drop(organizations.accounts().await);
            drop(organizations.describe().await);
        }
    }
}

#[tokio::test]
async fn no_value_in_an_xml_answer_ends_a_task() {
    let templates = [
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>#</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>@</Expiration></Credentials><PackedPolicySize>#</PackedPolicySize>\
         </AssumeRoleResult></AssumeRoleResponse>",
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><CreationDate>#</CreationDate><BucketRegion>@</BucketRegion></Bucket>\
         </Buckets><ContinuationToken>#</ContinuationToken></ListAllMyBucketsResult>",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>#</SSEAlgorithm>\
         <KMSMasterKeyID>@</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>#</BucketKeyEnabled>\
         <BlockedEncryptionTypes><EncryptionType>@</EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>",
        "<PolicyStatus><IsPublic>#</IsPublic></PolicyStatus>",
        "<Tagging><TagSet><Tag><Key>#</Key><Value>@</Value></Tag></TagSet></Tagging>",
        "<ReplicationConfiguration><Role>#</Role><Rule><Status>@</Status><Priority>#</Priority><Destination><Bucket>@</Bucket>\
         </Destination></Rule></ReplicationConfiguration>",
        "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><IsTruncated>#</IsTruncated><Marker>@</Marker>\
         <UserDetailList><member><CreateDate>#</CreateDate><UserName>@</UserName></member></UserDetailList>\
         </GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>",
    ];
    let needs =
        [Need::Policy, Need::PolicyStatus, Need::Website, Need::Acl, Need::Ownership, Need::Replication, Need::Tags];
    for body in templates.iter().flat_map(|template| filled(template, &TIMES)) {
        let config = config(&body);
        let member = Member::for_test(&config, "111122223333", CallLimits { s3: 1, ssm: 1 });
        let _ = member.s3_at_home().default_encryption("b").await;
        let mut pages = std::pin::pin!(member.s3_at_home().bucket_pages());
        let mut read = 0;
        while futures::StreamExt::next(&mut pages).await.is_some() {
            read += 1;
        }
        assert!(read <= 2, "{body}");
        let _ = member.bucket_evidence(&bucket(), &needs.into()).await;
        let _ = member.identities().await;
        let sts = RoleAssumer { sts: aws_sdk_sts::Client::new(&config), durations: Default::default() };
        let request = RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/r".into(),
            session_name: "test".into(),
            external_id: None,
            duration: 900,
            policy: None,
        };
        if let Ok(credentials) = sts.assume(&request).await {
            let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(300);
            let _ = credentials.expiry().is_some_and(|end| end < soon);
        }
    }
}
