//! Whether a key from before a campaign can still be used: looked at as the member, once per key.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::aws::Member;
use crate::model::{AwsError, KeyArn};

/// What is wrong with a key, once it was looked at.
type Look = Arc<OnceCell<Option<AwsError>>>;

/// What is wrong with each former key of an account, by Region and key.
#[derive(Default)]
pub(super) struct FormerKeys(std::sync::Mutex<BTreeMap<(String, String), Look>>);

impl FormerKeys {
    /// Why nothing may be pointed at a key again (`DescribeKey` as the member). What cannot be told counts as a fault.
    pub(super) async fn fault(&self, member: &Member, region: &str, key: &str) -> Option<AwsError> {
        let cell = {
            let mut looks = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(looks.entry((region.to_owned(), key.to_owned())).or_default())
        };
        cell.get_or_init(|| look(member, region, key)).await.clone()
    }
}

async fn look(member: &Member, region: &str, key: &str) -> Option<AwsError> {
    let unusable = |why: String| AwsError {
        code: "FormerKeyNotUsable".to_owned(),
        message: format!("the key {key}, which the bucket had before the campaign, {why}"),
        hint: "put the key right and `orgseal resume --retry-failed`, leave the bucket on the central key, or say \
               rollback.unusable_keys = \"restore\""
            .to_owned(),
    };
    if let Ok(arn) = key.parse::<KeyArn>()
        && arn.region != region
    {
        return Some(unusable(format!("is in {}, and S3 can use a key only in its own Region", arn.region)));
    }
    match member.describe_key(region, key).await {
        Ok(facts) if facts.state == "Enabled" => None,
        Ok(facts) => Some(unusable(format!("is {}", facts.state))),
        Err(error) => Some(AwsError {
            hint: format!("{}; then `orgseal resume --retry-failed`", error.hint),
            ..unusable(format!("cannot be looked at ({error})"))
        }),
    }
}
