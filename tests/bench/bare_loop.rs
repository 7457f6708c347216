//! The floor: a bare SDK loop over the same reads. It enters each account and reads each bucket's encryption, and does
//! nothing else: no judging, no record. Run as a process of its own, so that its CPU time can be told apart.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use futures::stream::{self, StreamExt};

/// Accounts at once, and reads at once in each: as orgseal's defaults.
const ACCOUNTS: usize = 20;
const READS: usize = 10;

pub(crate) fn run(arguments: &[String]) {
    let [external_id, accounts @ ..] = arguments else { panic!("bare-loop EXTERNAL_ID ACCOUNT…") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let read: usize = runtime.block_on(async {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                aws_smithy_http_client::tls::rustls_provider::CryptoMode::AwsLc,
            ))
            .build_https();
        let base = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let sts = aws_sdk_sts::Client::new(&base);
        stream::iter(accounts.to_vec())
            .map(|account| {
                let (base, sts, external_id) = (base.clone(), sts.clone(), external_id.clone());
                tokio::spawn(async move { read_account(&base, &sts, &account, &external_id).await })
            })
            .buffer_unordered(ACCOUNTS)
            .map(|read| read.expect("the account is read"))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .sum()
    });
    assert!(read > 0);
}

async fn read_account(
    base: &aws_config::SdkConfig,
    sts: &aws_sdk_sts::Client,
    account: &str,
    external_id: &str,
) -> usize {
    let session = sts
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/orgseal-member"))
        .role_session_name("bare-loop")
        .external_id(external_id)
        .send()
        .await
        .expect("the role can be assumed");
    let keys = session.credentials().expect("credentials");
    let provider = SharedCredentialsProvider::new(Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token().to_owned()),
        None,
        "bare-loop",
    ));
    let s3 = |region: &str| {
        let config =
            base.to_builder().region(Region::new(region.to_owned())).credentials_provider(provider.clone()).build();
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
    };
    let listed = s3("us-east-1").list_buckets().max_buckets(10_000).send().await.expect("buckets are listed");
    let mut clients = std::collections::HashMap::new();
    for bucket in listed.buckets() {
        let region = bucket.bucket_region().expect("a Region");
        clients.entry(region.to_owned()).or_insert_with(|| s3(region));
    }
    stream::iter(listed.buckets.unwrap_or_default())
        .map(|bucket| {
            let client = &clients[bucket.bucket_region().expect("a Region")];
            client.get_bucket_encryption().bucket(bucket.name().expect("a name")).expected_bucket_owner(account).send()
        })
        .buffer_unordered(READS)
        .count()
        .await
}
