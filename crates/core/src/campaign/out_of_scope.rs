//! Counting what is out of scope: the directory buckets of an account, in each Region in use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::Campaign;
use crate::aws::Member;
use crate::model::{Account, AwsError, DirectoryBuckets, UnreadRegion};

/// Regions whose endpoint for directory buckets could not be reached, with the error: S3 Express One Zone is not in every
/// Region, and each account would wait for the same name again.
#[derive(Default)]
pub(super) struct Unreachable(Mutex<BTreeMap<String, AwsError>>);

impl Unreachable {
    fn get(&self, region: &str) -> Option<AwsError> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(region).cloned()
    }

    fn note(&self, region: &str, error: &AwsError) {
        if error.code == "ConnectionFailed" {
            let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.insert(region.to_owned(), error.clone());
        }
    }
}

impl Campaign {
    /// Counts the account's directory buckets in the Regions where it has buckets, and in those of the campaign. What cannot
    /// be read is part of the count: it is stated, and changes no verdict.
    pub(super) async fn count_directory_buckets(
        &self,
        member: &Member,
        account: &Account,
        mut regions: BTreeSet<String>,
    ) -> DirectoryBuckets {
        let keys = self.file.keys_of(account);
        regions.extend(keys.iter().map(|(region, _)| region.to_owned()));
        let mut counted = DirectoryBuckets::default();
        for region in regions.into_iter().filter(|region| self.selection.takes_region(region)) {
            let answer = match self.unreachable.get(&region) {
                Some(error) => Err(error),
                None => member.count_directory_buckets(&region).await,
            };
            match answer {
                Ok(buckets) => counted.buckets += buckets,
                Err(error) => {
                    self.unreachable.note(&region, &error);
                    counted.unread.push(UnreadRegion { region, error });
                }
            }
        }
        counted
    }
}
