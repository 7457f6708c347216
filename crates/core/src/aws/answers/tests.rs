//! Every cut of an answer is noticed, and no whole one is refused.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::http_client_fn;

use super::super::error::aws_error;
use super::*;

fn xml(root: &str, members: &'static [&'static str]) -> Expected {
    Expected::Xml { root: root.to_owned(), members, each: elements::REST_XML }
}

const ENCRYPTION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
     <Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>\
     </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C\
     </EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>";
const EXECUTIONS: &str = r#"{"AutomationExecutionMetadataList":[{"AutomationExecutionId":"1"},{"AutomationExecutionId":"2"}],"NextToken":"n"}"#;

#[test]
fn every_cut_is_noticed_and_the_whole_is_accepted() {
    let encryption = xml("ServerSideEncryptionConfiguration", &["Rule"]);
    let executions = Expected::Json(&["AutomationExecutionMetadataList"], None);
    let generic = Expected::Something;
    for (expected, text) in
        [(&encryption, ENCRYPTION), (&executions, EXECUTIONS), (&generic, ENCRYPTION), (&generic, EXECUTIONS)]
    {
        for end in 0..text.len() {
            assert!(expected.check(&text.as_bytes()[..end]).is_err(), "{}", &text[..end]);
        }
        expected.check(text.as_bytes()).unwrap();
        expected.check(format!("{text}\n").as_bytes()).unwrap();
    }
}

#[test]
fn what_is_no_answer_of_the_operation_is_refused() {
    let buckets = xml("ListAllMyBucketsResult", &["Buckets"]);
    let refused = |expected: &Expected, body: &str| expected.check(body.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused(&buckets, ""), "the answer is empty");
    assert_eq!(refused(&buckets, "<html><body/></html>"), "the answer is <html>, not <ListAllMyBucketsResult>");
    assert_eq!(refused(&buckets, "<ListAllMyBucketsResult/>"), "the answer holds no Buckets");
    assert!(refused(&buckets, "{}").starts_with("the answer is not well-formed"));
    for after in ["<a/>", "more", "{}"] {
        let body = format!("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>{after}");
        assert!(refused(&buckets, &body).starts_with("the answer is not well-formed"), "{after}");
    }
    assert!(refused(&buckets, "<ListAllMyBucketsResult><a></b></ListAllMyBucketsResult>").contains("did not begin"));
    let deep = "<a>".repeat(100_000);
    assert!(refused(&Expected::Something, &deep).contains("too deep"));
    let accounts = Expected::Json(&["Accounts"], None);
    assert_eq!(refused(&accounts, "{}"), "the answer holds no Accounts");
    assert_eq!(refused(&accounts, r#"{"Accounts":null}"#), "the answer holds no Accounts");
    assert!(refused(&accounts, "[]").starts_with("the answer is not well-formed"));
    assert!(refused(&accounts, &"[".repeat(1 << 20)).starts_with("the answer is"));
    Expected::Anything.check(b"ok").unwrap();
}

#[test]
fn an_element_without_what_names_it_makes_the_answer_unusable() {
    let refused = |expected: &Expected, body: &str| expected.check(body.as_bytes()).unwrap_err().to_string();
    let buckets = xml("ListAllMyBucketsResult", &["Buckets"]);
    let of = |elements: &str| format!("<ListAllMyBucketsResult><Buckets>{elements}</Buckets></ListAllMyBucketsResult>");
    let (whole, without) = ("<Bucket><Name>a</Name></Bucket>", "<Bucket><CreationDate>d</CreationDate></Bucket>");
    buckets.check(of("").as_bytes()).unwrap();
    buckets.check(of(&whole.repeat(3)).as_bytes()).unwrap();
    for empty in [
        without,
        "<Bucket/>",
        "<Bucket><Name></Name></Bucket>",
        "<Bucket><Name/></Bucket>",
        "<Bucket><Name> </Name></Bucket>",
    ] {
        for elements in [format!("{empty}{whole}"), format!("{whole}{empty}")] {
            assert_eq!(refused(&buckets, &of(&elements)), "an element Bucket in the answer has no Name", "{elements}");
        }
    }
    let tags = xml("Tagging", &["TagSet"]);
    let tag = |inner: &str| format!("<Tagging><TagSet><Tag>{inner}</Tag></TagSet></Tagging>");
    tags.check(tag("<Key>k</Key><Value></Value>").as_bytes()).unwrap();
    assert!(refused(&tags, &tag("<Key>k</Key>")).contains("Tag in the answer has no Value"));
    let acl = xml("AccessControlPolicy", &["Owner"]);
    let grantee = |inner: &str| {
        format!(
            "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee>{inner}</Grantee>\
             <Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
        )
    };
    acl.check(grantee("<URI>all</URI>").as_bytes()).unwrap();
    assert!(
        refused(&acl, &grantee("<DisplayName>x</DisplayName>"))
            .contains("Grantee in the answer has no ID or URI or EmailAddress")
    );
    let json = |operation: &str, member: &'static [&'static str], body: &str| {
        Expected::Json(member, elements::of_operation(operation)).check(body.as_bytes()).map_err(|why| why.to_string())
    };
    json("ListAccounts", &["Accounts"], r#"{"Accounts":[{"Id":"1"},{"Id":"2"}]}"#).unwrap();
    for bad in ["{}", r#"{"Id":""}"#, r#"{"Id":null}"#, "null", r#""Id""#] {
        let found = json("ListAccounts", &["Accounts"], &format!(r#"{{"Accounts":[{{"Id":"1"}},{bad}]}}"#));
        assert_eq!(found.unwrap_err(), "an element Accounts in the answer has no Id", "{bad}");
    }
    assert!(json("ListRoots", &["Roots"], r#"{"Roots":[{"Name":"Root"}]}"#).is_err());
    assert!(json("DescribeOrganization", &["Organization"], r#"{"Organization":{"Id":"o-1"}}"#).is_err());
}

#[test]
fn an_error_counts_only_where_it_is_whole() {
    let answered = |method: &str, service: &str| {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method(method).unwrap();
        request
            .headers_mut()
            .insert("authorization", format!("AWS4-HMAC-SHA256 Credential=A/20261201/r/{service}/aws4_request"));
        Answered::of(&request)
    };
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucketPolicy</Code><Message>The bucket policy does \
               not exist</Message></Error>";
    let json = r#"{"__type":"ParentNotFoundException","Message":"no"}"#;
    for (service, whole) in [("s3", xml), ("sts", xml), ("ssm", json)] {
        let get = answered("GET", service);
        check_error(&get, whole.as_bytes()).unwrap();
        for end in 1..whole.len() {
            assert!(check_error(&get, &whole.as_bytes()[..end]).is_err(), "{service}: {}", &whole[..end]);
        }
    }
    assert_eq!(check_error(&answered("GET", "s3"), b""), Err(Unusable::Empty));
    check_error(&answered("HEAD", "s3"), b"").unwrap();
    check_error(&answered("POST", "ssm"), b"").unwrap();
    assert!(check_error(&answered("GET", "s3"), b"<html><body>blocked</body></html>").is_err());
    assert!(check_error(&answered("GET", "s3"), b"blocked").is_err());
    let mut unsigned = HttpRequest::new(SdkBody::empty());
    unsigned.set_uri("http://169.254.169.254/latest/meta-data").unwrap();
    check_error(&Answered::of(&unsigned), b"<html>").unwrap();
}

#[test]
fn the_request_says_what_the_answer_must_be() {
    let request = |method: &str, uri: &str, headers: &[(&'static str, &'static str)], body: &'static str| {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).unwrap();
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        Expected::of(&request)
    };
    let s3 = ("authorization", "AWS4-HMAC-SHA256 Credential=A/20261201/us-east-1/s3/aws4_request, Signature=0");
    let get = |uri: &str| request("GET", uri, &[s3], "");
    assert_eq!(get("http://h/b?encryption"), xml("ServerSideEncryptionConfiguration", S3_ENCRYPTION));
    assert_eq!(get("http://h/?x-id=ListBuckets&max-buckets=10000"), xml("ListAllMyBucketsResult", &["Buckets"]));
    assert_eq!(get("http://h/b?policy"), Expected::JsonDocument);
    assert_eq!(get("http://h/b?policyStatus"), xml("PolicyStatus", &["IsPublic"]));
    assert_eq!(get("http://h/b?lifecycle"), Expected::Something);
    assert_eq!(request("HEAD", "http://h/b", &[s3], ""), Expected::Anything);
    let account = ("x-amz-account-id", "111122223333");
    assert_eq!(
        request("GET", "http://h/v20180820/accesspoint?bucket=b", &[s3, account], ""),
        xml("ListAccessPointsResult", &["AccessPointList"])
    );
    let form = ("content-type", "application/x-www-form-urlencoded");
    let assume = request("POST", "http://h/", &[form], "Action=AssumeRole&Version=2011-06-15");
    assert_eq!(
        assume,
        Expected::Xml {
            root: "AssumeRoleResponse".to_owned(),
            members: &["AssumeRoleResult", "Credentials"],
            each: elements::QUERY
        }
    );
    let json = |target: &'static str| request("POST", "http://h/", &[("x-amz-target", target)], "{}");
    let accounts = elements::of_operation("ListAccounts");
    assert_eq!(json("AWSOrganizationsV20161128.ListAccounts"), Expected::Json(&["Accounts"], accounts));
    let events = Expected::Json(&["Events"], elements::of_operation("LookupEvents"));
    assert_eq!(json("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"), events);
    assert_eq!(json("TrentService.EnableKey"), Expected::Anything);
    assert_eq!(request("POST", "http://h/", &[form], "Action=CreateRole&RoleName=r"), Expected::Anything);
    assert_eq!(json("AmazonSSM.DescribeDocumentPermission"), Expected::Json(&[], None));
    assert_eq!(request("PUT", "http://169.254.169.254/latest/api/token", &[], ""), Expected::Anything);
}

const S3_ENCRYPTION: &[&str] = &["Rule", "ApplyServerSideEncryptionByDefault"];

/// An endpoint with one answer.
#[derive(Debug)]
struct Always(&'static str);

impl HttpConnector for Always {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = match self.0 {
            "endless" => SdkBody::from(vec![b' '; LARGEST_BODY + 1]),
            body => SdkBody::from(body),
        };
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), body)))
    }
}

#[tokio::test]
async fn an_unusable_answer_is_an_error_that_says_what_is_wrong() {
    for (body, says) in [
        ("", "ListAccounts: the answer is empty"),
        (r#"{"Accounts":[{"Id":"111122223333"}"#, "ListAccounts: the answer is cut off: its JSON does not end"),
        ("endless", "ListAccounts: the answer is larger than 16 MiB"),
    ] {
        let client = http_client_fn(move |_, _| SharedHttpConnector::new(Always(body)));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .http_client(checked(client))
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test")))
            .build();
        let answer = aws_sdk_organizations::Client::new(&config).list_accounts().send().await;
        let error = aws_error("ListAccounts", &answer.unwrap_err());
        assert_eq!((error.code.as_str(), error.message.as_str()), ("Unreadable", says));
        assert_eq!(error.hint, Unusable::HINT);
    }
}
