//! Organizations in other partitions: ARNs, Regions, global services, and what one partition refuses of another's names.

use serde_json::json;

use super::{Keys, start};
use crate::{Partition, Sandbox};

const ALPHA: &str = "111111111111";

fn organization(partition: Partition, more: &str) -> String {
    format!(
        "partition = \"{partition}\"\n{more}\nseed = 12\naccounts = 3\nbuckets_per_account = 2\n[[account]]\nname = \"alpha\"\nid = \"{ALPHA}\"\n\
         [[account.buckets]]\nname = \"alpha-one\"\nencryption = \"sealed\"\n"
    )
}

async fn form(sandbox: &Sandbox, keys: &Keys, scope: &str, body: &str) -> Result<String, String> {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = sandbox.send(keys, scope, "POST", "/", &kind, body).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    if answer.status == 200 { Ok(text) } else { Err(text) }
}

const LIST_ROLES: &str = "Action=ListRoles&Version=2010-05-08";
const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn every_partition_has_its_own_names_and_regions() {
    for partition in Partition::ALL {
        let sandbox = start(&organization(partition, ""), 0.0).await;
        let keys = sandbox.security();
        let region = sandbox.region().to_string();
        assert!(partition.default_regions().contains(&region.as_str()), "{partition}");
        let identity = form(&sandbox, &keys, &format!("{region}/sts"), IDENTITY).await.unwrap();
        assert!(identity.contains(&format!("<Arn>arn:{partition}:iam::")), "{identity}");
        let key = sandbox.world.central_arns[0].to_string();
        assert!(key.starts_with(&format!("arn:{partition}:kms:{region}:")), "{key}");
        sandbox.json(&keys, &region, "DescribeKey", json!({ "KeyId": key })).await.unwrap();
        assert!(sandbox.campaign_file().contains(&key));
    }
}

#[tokio::test]
async fn a_global_service_accepts_the_region_that_serves_it_and_no_other() {
    for (partition, iam, organizations, other) in [
        (Partition::Aws, "us-east-1", "us-east-1", "eu-west-1"),
        (Partition::AwsCn, "cn-north-1", "cn-northwest-1", "cn-north-2"),
        (Partition::AwsUsGov, "us-gov-west-1", "us-gov-west-1", "us-gov-east-1"),
        (Partition::AwsEusc, "eusc-de-east-1", "eusc-de-east-1", "us-east-1"),
    ] {
        let sandbox = start(&organization(partition, ""), 0.0).await;
        let (keys, admin) = (sandbox.security(), sandbox.session(ALPHA));
        form(&sandbox, &admin, &format!("{iam}/iam"), LIST_ROLES).await.unwrap();
        let target = [("x-amz-target", "AWSOrganizationsV20161128.ListAccounts")];
        let scope = format!("{organizations}/organizations");
        assert_eq!(sandbox.send(&keys, &scope, "POST", "/", &target, "{}").await.status, 200, "{partition}");
        assert_eq!(sandbox.client_region(), organizations);
        let refused = form(&sandbox, &admin, &format!("{other}/iam"), LIST_ROLES).await.unwrap_err();
        assert!(refused.contains("Credential should be scoped to a valid region"), "{refused}");
        let scope = format!("{other}/organizations");
        let refused = sandbox.send(&keys, &scope, "POST", "/", &target, "{}").await;
        assert_eq!((refused.status, refused.error.unwrap().0), (400, "InvalidSignatureException"), "{partition}");
    }
    // In China, IAM and Organizations are served from different Regions.
    let sandbox = start(&organization(Partition::AwsCn, ""), 0.0).await;
    let refused = form(&sandbox, &sandbox.session(ALPHA), "cn-northwest-1/iam", LIST_ROLES).await.unwrap_err();
    assert!(refused.contains("not &apos;cn-northwest-1&apos;"), "{refused}");
}

#[tokio::test]
async fn the_exports_say_where_the_exported_region_does_not_serve() {
    let europe = start("regions = [\"eu-west-1\", \"eu-central-1\"]\naccounts = 3", 0.0).await;
    let exports = europe.exports();
    assert!(exports.starts_with("# us-east-1 serves IAM and Organizations; use --region"), "{exports}");
    assert!(exports.contains("eu-west-1, eu-central-1\n") && exports.contains("export AWS_REGION=us-east-1\n"));
    let china = start(&organization(Partition::AwsCn, ""), 0.0).await.exports();
    assert!(china.starts_with("# cn-northwest-1 serves Organizations; use --region cn-north-1 for IAM\n"), "{china}");
    assert!(start("accounts = 3", 0.0).await.exports().starts_with("export "));
}

#[tokio::test]
async fn names_of_another_partition_are_refused() {
    let sandbox = start(&organization(Partition::AwsUsGov, ""), 0.0).await;
    let keys = sandbox.security();
    let assume = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&ExternalId={}&RoleArn=arn%3AP%3Aiam%3A%3A{ALPHA}%3Arole%2Forgseal-member",
        sandbox.external_id()
    );
    let refused =
        form(&sandbox, &keys, "us-gov-west-1/sts", &assume.replace("%3AP%3A", "%3Aaws%3A")).await.unwrap_err();
    assert!(refused.contains("is invalid"), "{refused}");
    form(&sandbox, &keys, "us-gov-west-1/sts", &assume.replace("%3AP%3A", "%3Aaws-us-gov%3A")).await.unwrap();
    let foreign = sandbox.world.central_arns[0].replace("arn:aws-us-gov:", "arn:aws:");
    let refused = sandbox.json(&keys, "us-gov-west-1", "DescribeKey", json!({ "KeyId": foreign })).await;
    assert_eq!(refused.unwrap_err(), "InvalidArnException");
    let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3A%2A%22%7D%7D";
    let create = format!("Action=CreatePolicy&Version=2010-05-08&PolicyName=p&PolicyDocument={policy}");
    let refused = form(&sandbox, &sandbox.session(ALPHA), "us-gov-west-1/iam", &create).await.unwrap_err();
    assert!(
        refused.contains("Partition &quot;aws&quot; is not valid for resource &quot;arn:aws:s3:::*&quot;."),
        "{refused}"
    );
}

/// What `kms:ViaService` ends with is documented for some partitions only: the spec may say which it is.
#[tokio::test]
async fn s3_names_itself_to_kms_as_the_spec_says() {
    for (more, suffix) in [("", "amazonaws.com.cn"), ("via_service_suffix = \"amazonaws.com\"", "amazonaws.com")] {
        let writer = format!(
            "[[application]]\nname = \"writer\"\nkind = \"user\"\naccounts = [\"alpha\"]\nbuckets = [\"alpha-one\"]\npolicy = '{}'\n",
            json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws-cn:s3:::alpha-one/*" },
                { "Effect": "Allow", "Action": "kms:*", "Resource": "*",
                  "Condition": { "StringEquals": { "kms:ViaService": format!("s3.cn-north-1.{suffix}") } } },
            ] })
        );
        let sandbox = start(&(organization(Partition::AwsCn, more) + &writer), 0.0).await;
        let credentials = sandbox.application_credentials("writer").unwrap().remove(0);
        let keys = Keys { access_key: credentials.access_key_id, token: credentials.session_token };
        let put = sandbox.send(&keys, "cn-north-1/s3", "PUT", "/alpha-one/k", &[], "content").await;
        assert_eq!(put.status, 200, "{}", String::from_utf8_lossy(&put.body));
    }
}
