//! What described buckets state besides their policies: access points, inventories, ownership and grants.

use super::{Keys, SMALL, start};
use crate::Sandbox;

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";

const STATED: &str = r#"encryption = "sse_s3"
policy = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::SECURITY-ACCOUNT:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::alpha-one/*"}]}'
object_ownership = "ObjectWriter"
acl_grants = [{ account = "beta", permission = "WRITE" }]
inventory = [{ id = "b", destination = "reports", account = "222222222222", key = "k" }, { id = "a", destination = "alpha-one" }]
access_points = [
  { name = "own-two", vpc = "vpc-1" },
  { name = "own-one", policy = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"MEMBER-ACCOUNT"},"Action":"s3:GetObject","Resource":"*"}]}' },
  { name = "others", account = "beta" },
]
"#;

impl Sandbox {
    async fn read(&self, keys: &Keys, region: &str, account: &str, path: &str) -> (u16, String) {
        let id = [("x-amz-account-id", account)];
        let answer = self.send(keys, &format!("{region}/s3"), "GET", path, &id, "").await;
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }
}

fn names(xml: &str, element: &str) -> Vec<String> {
    let open = format!("<{element}>");
    xml.split(&open).skip(1).map(|part| part.split('<').next().unwrap().to_string()).collect()
}

async fn stated() -> Sandbox {
    start(&SMALL.replacen("encryption = \"sse_s3\"\n", STATED, 1), 0.0).await
}

#[tokio::test]
async fn an_account_lists_its_own_access_points_whoever_owns_the_bucket() {
    let sandbox = stated().await;
    let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    let path = "/v20180820/accesspoint?bucket=alpha-one";
    let (status, xml) = sandbox.read(&alpha, "us-east-1", ALPHA, path).await;
    assert_eq!((status, names(&xml, "Name")), (200, vec!["own-one".into(), "own-two".into()]));
    assert_eq!(names(&xml, "NetworkOrigin"), ["Internet", "VPC"]);
    assert!(names(&xml, "Alias").iter().all(|alias| alias.len() == 63 && alias.ends_with("-s3alias")), "{xml}");
    let (_, xml) = sandbox.read(&beta, "us-east-1", BETA, path).await;
    assert_eq!((names(&xml, "Name"), names(&xml, "BucketAccountId")), (vec!["others".into()], vec![ALPHA.into()]));
    assert_eq!(names(&xml, "AccessPointArn"), ["arn:aws:s3:us-east-1:222222222222:accesspoint/others"]);
    for (region, path) in
        [("eu-west-1", "/v20180820/accesspoint"), ("us-east-1", "/v20180820/accesspoint?bucket=beta-one")]
    {
        let (status, xml) = sandbox.read(&alpha, region, ALPHA, path).await;
        assert_eq!((status, names(&xml, "Name").len()), (200, 0), "{region} {path}");
    }
    assert_eq!(sandbox.read(&alpha, "us-east-1", BETA, path).await.0, 403);
    let account = sandbox.world.organization.find(ALPHA).unwrap();
    let record = sandbox.world.trail.with_events(account, |kept| kept.events[0].record(&sandbox.world));
    let parameters = &record["requestParameters"];
    assert_eq!((&record["eventName"], &parameters["bucketName"]), (&"ListAccessPoints".into(), &"alpha-one".into()));
    let (_, first) = sandbox.read(&alpha, "us-east-1", ALPHA, &format!("{path}&maxResults=1")).await;
    let next = format!("{path}&maxResults=1&nextToken={}", names(&first, "NextToken")[0]);
    let (_, second) = sandbox.read(&alpha, "us-east-1", ALPHA, &next).await;
    assert_eq!((names(&second, "Name"), names(&second, "NextToken").len()), (vec!["own-two".into()], 0));
    for wrong in ["&maxResults=1001", "&nextToken=odd", "&other=1"] {
        assert_eq!(sandbox.read(&alpha, "us-east-1", ALPHA, &format!("{path}{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn an_access_point_has_a_policy_or_none() {
    let sandbox = stated().await;
    let alpha = sandbox.session(ALPHA);
    let of = async |name: &str| {
        sandbox.read(&alpha, "us-east-1", ALPHA, &format!("/v20180820/accesspoint/{name}/policy")).await
    };
    let (status, xml) = of("own-one").await;
    assert!(status == 200 && xml.contains(ALPHA) && !xml.contains("MEMBER-ACCOUNT"), "{xml}");
    for (name, code) in [("own-two", "NoSuchAccessPointPolicy"), ("others", "NoSuchAccessPoint")] {
        let (status, xml) = of(name).await;
        assert_eq!((status, names(&xml, "Code")), (404, vec![code.into()]));
    }
    sandbox.delete_bucket("alpha-one").unwrap();
    let beta = sandbox.session(BETA);
    assert_eq!(sandbox.send(&beta, "us-east-1/s3", "PUT", "/alpha-one", &[], "").await.status, 200);
    assert_eq!(of("own-one").await.0, 404, "the bucket is another account's now");
}

#[tokio::test]
async fn inventories_ownership_and_grants_are_shown() {
    let sandbox = stated().await;
    let alpha = sandbox.session(ALPHA);
    let of = async |query: &str| sandbox.read(&alpha, "us-east-1", ALPHA, &format!("/alpha-one?{query}")).await;
    let (status, xml) = of("inventory").await;
    assert_eq!(
        (status, names(&xml, "Id"), names(&xml, "IsTruncated")),
        (200, vec!["a".into(), "b".into()], vec!["false".into()])
    );
    let (_, xml) = of("inventory&id=b&x-id=GetBucketInventoryConfiguration").await;
    assert!(
        xml.contains("<Bucket>arn:aws:s3:::reports</Bucket>") && xml.contains("<SSE-KMS><KeyId>k</KeyId></SSE-KMS>"),
        "{xml}"
    );
    let (status, xml) = of("inventory&id=c").await;
    assert_eq!((status, names(&xml, "Code")), (404, vec!["NoSuchConfiguration".into()]));
    assert_eq!(of("inventory&continuation-token=odd").await.0, 400);
    let (_, xml) = sandbox.read(&alpha, "eu-west-1", ALPHA, "/alpha-ireland?inventory").await;
    assert!(names(&xml, "Id").is_empty() && names(&xml, "IsTruncated") == ["false"], "{xml}");
    assert_eq!(names(&of("ownershipControls").await.1, "ObjectOwnership"), ["ObjectWriter"]);
    let beta = sandbox.world.canonical_id(sandbox.world.organization.find(BETA).unwrap());
    let (_, acl) = of("acl").await;
    assert_eq!(names(&acl, "Permission"), ["FULL_CONTROL", "WRITE"]);
    assert_eq!(names(&acl, "ID")[2], beta, "{acl}");
    let (_, policy) = of("policy").await;
    assert!(policy.contains(&format!("arn:aws:iam::{}:root", sandbox.security_account())), "{policy}");
    let counted = sandbox.counters();
    assert_eq!(
        (
            counted.totals("s3", "ListBucketInventoryConfigurations"),
            counted.totals("s3", "GetBucketInventoryConfiguration")
        ),
        (3, 2)
    );
}
