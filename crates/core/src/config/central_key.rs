//! `[central_key]`: the organization's KMS key, per Region.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id, is_region};
use crate::model::{KeyArn, KeyMap, Partition};

/// The central key: `REGION = "ARN"` for each Region, or `multi_region_key = "ARN"` with `regions` at the top of the file.
///
/// `account` may name the account that must own the keys; without it, the ARNs must agree on one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CentralKey(pub BTreeMap<String, String>);

const ACCOUNT: &str = "account";
const MULTI_REGION_KEY: &str = "multi_region_key";

/// Checks a full key ARN.
fn check_arn(path: &str, arn: &str, found: &mut Vec<Problem>) -> Option<KeyArn> {
    let key = arn.parse().ok();
    // Of a multi-Region key no other setting says its Region.
    if key.as_ref().is_none_or(|key: &KeyArn| !is_region(&key.region)) {
        found.push(Problem::new(
            path,
            format!("`{arn}` is not a full key ARN (an alias or a bare id would resolve in the requester's account)"),
            "write arn:aws:kms:REGION:ACCOUNT:key/ID",
        ));
    }
    if let Some(unknown) = key.as_ref().filter(|key: &&KeyArn| Partition::named(&key.partition).is_none()) {
        let known: Vec<&str> = Partition::all().iter().map(|partition| partition.name.as_str()).collect();
        found.push(Problem::new(
            path,
            format!("the key is of partition {}, which this version of orgseal does not know", unknown.partition),
            format!("correct the ARN, or update orgseal; known partitions: {}", known.join(", ")),
        ));
    }
    key
}

/// Checks a Region's key: a full ARN, of the Region and of its partition.
pub(super) fn check_key(path: &str, region: &str, arn: &str, found: &mut Vec<Problem>) -> Option<KeyArn> {
    if !is_region(region) {
        found.push(Problem::new(
            path,
            format!("`{region}` is not a Region"),
            "write a Region's name such as us-east-1, or `multi_region_key`",
        ));
        return None;
    }
    let key = check_arn(path, arn, found)?;
    // A Region that is younger than this program belongs to the partition that its key's ARN names.
    if let Some(other) = Partition::of_region(region).filter(|partition| partition.name != key.partition) {
        found.push(Problem::new(
            path,
            format!("the key is of partition {}, and {region} is in {}", key.partition, other.name),
            format!("write arn:{}:kms:{region}:ACCOUNT:key/ID", other.name),
        ));
    } else if key.region != region {
        found.push(Problem::new(
            path,
            format!("the key for {region} is in {}, and S3 can use a key only in its own Region", key.region),
            format!("write the ARN of a key in {region}"),
        ));
    }
    Some(key)
}

impl CentralKey {
    pub(super) fn by_region(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().filter(|(name, _)| *name != ACCOUNT && *name != MULTI_REGION_KEY)
    }

    fn multi_region_key(&self) -> Option<KeyArn> {
        self.0.get(MULTI_REGION_KEY)?.parse().ok()
    }

    /// The key of each Region. A multi-Region key has the same id and its own ARN in each Region of `regions`.
    pub(super) fn resolve(&self, regions: &[String]) -> KeyMap {
        let multi = self.multi_region_key();
        let replicas = regions
            .iter()
            .filter_map(|region| Some((region.clone(), KeyArn { region: region.clone(), ..multi.clone()? })));
        let named = self.by_region().filter_map(|(region, arn)| Some((region.clone(), arn.parse().ok()?)));
        replicas.chain(named).collect()
    }

    pub(super) fn check(&self, regions: &[String], found: &mut Vec<Problem>) {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        if let Some(account) = self.0.get(ACCOUNT) {
            if is_account_id(account) {
                owners.insert(account.clone(), "central_key.account".to_owned());
            } else {
                found.push(Problem::new(
                    "central_key.account",
                    format!("`{account}` is not an account id"),
                    "write twelve digits in quotes",
                ));
            }
        }
        for (name, arn) in self.0.iter().filter(|(name, _)| *name != ACCOUNT) {
            let path = format!("central_key.{name}");
            let Some(key) = (match name == MULTI_REGION_KEY {
                true => check_arn(&path, arn, found),
                false => check_key(&path, name, arn, found),
            }) else {
                continue;
            };
            if name == MULTI_REGION_KEY {
                if !key.id.starts_with("mrk-") {
                    found.push(Problem::new(
                        path.clone(),
                        format!("`{}` is not a multi-Region key", key.id),
                        "write the ARN of a key whose id begins with mrk-, or one key for each Region",
                    ));
                }
                if regions.is_empty() {
                    found.push(Problem::new(
                        path.clone(),
                        "multi_region_key needs to know the Regions with a replica",
                        "name them at the top of the file: regions = [\"us-east-1\", …]",
                    ));
                }
            }
            if let Some(first) = owners.values().next()
                && !owners.contains_key(&key.account)
            {
                found.push(Problem::new(
                    path.clone(),
                    format!("the key belongs to account {}, another one than {first} says", key.account),
                    "name keys of one account, the organization's key account",
                ));
            }
            owners.entry(key.account).or_insert(path);
        }
        if self.by_region().next().is_none() && !self.0.contains_key(MULTI_REGION_KEY) {
            found.push(Problem::new(
                "central_key",
                "no central key is named",
                "add a line for each Region: us-east-1 = \"arn:aws:kms:us-east-1:ACCOUNT:key/ID\"",
            ));
        }
        let keys = self.resolve(regions);
        let mut named = BTreeSet::new();
        for (index, region) in regions.iter().enumerate() {
            if !named.insert(region) {
                found.push(Problem::new(
                    format!("regions[{index}]"),
                    format!("{region} is named twice"),
                    "name each Region once",
                ));
            } else if !is_region(region) {
                found.push(Problem::new(
                    format!("regions[{index}]"),
                    format!("`{region}` is not a Region"),
                    "write a Region's name such as us-east-1",
                ));
            } else if let Some((key, other)) = keys.get(region).zip(Partition::of_region(region))
                && key.partition != other.name
                && !self.0.contains_key(region)
            {
                found.push(Problem::new(
                    format!("regions[{index}]"),
                    format!(
                        "{region} is in partition {}, and the multi-Region key is of {}",
                        other.name, key.partition
                    ),
                    "name Regions of one partition: each partition has its own organization and its own keys",
                ));
            } else if keys.get(region).is_none() && !self.0.contains_key(region) {
                found.push(Problem::new(
                    format!("regions[{index}]"),
                    format!("no central key for {region}, which `regions` names"),
                    format!("add `{region} = \"arn:…\"` to [central_key], or take the Region out of `regions`"),
                ));
            }
        }
    }
}
