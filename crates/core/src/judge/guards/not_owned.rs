//! `not-owned`: a bucket's name can change hands after it was listed. Every read names the owner that is expected, so an answer
//! to one of them proves the owner; a refusal of all of them proves nothing.

use super::sight::Sight;
use super::{Guard, Need, Word};
use crate::model::{AwsError, BucketEvidence, Read};

pub(super) struct NotOwned;

impl Guard for NotOwned {
    fn name(&self) -> &'static str {
        "not-owned"
    }

    fn keeps_from(&self) -> &'static str {
        "a bucket that now belongs to another account is changed"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Acl]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let reads = reads(at.evidence);
        if reads.iter().any(|read| matches!(read, Some(Ok(())))) {
            return Word::Clear;
        }
        let failed = || reads.iter().filter_map(|read| read.as_ref()?.as_ref().err());
        if let Some(gone) = failed().find(|error| error.code == "NoSuchBucket") {
            return Word::Found {
                says: "the bucket was deleted after it was listed".to_owned(),
                evidence: vec![gone.to_string()],
                hint: "run the command again to list the buckets again".to_owned(),
                principals: Vec::new(),
            };
        }
        let mut evidence: Vec<String> = failed().map(ToString::to_string).collect();
        let denied = failed().all(|error| error.code == "AccessDenied");
        let hint = match failed().next() {
            // S3 answers AccessDenied for a missing permission and for an unexpected owner alike; only of the former does it ever
            // say which action it was.
            Some(first) if denied && !first.message.contains("not authorized to perform") => format!(
                "{}; if it is allowed already, the bucket now belongs to another account: compare with `aws s3api list-buckets` \
                 in this account",
                first.hint
            ),
            Some(first) => first.hint.clone(),
            None => "run the command again".to_owned(),
        };
        if evidence.is_empty() {
            evidence.push("GetBucketAcl was not called".to_owned());
        }
        Word::CannotTell { evidence, hint, principals: Vec::new() }
    }
}

/// What each read on the bucket came to.
fn reads(evidence: &BucketEvidence) -> [Option<Result<(), &AwsError>>; 8] {
    fn came_to<T>(read: &Read<T>) -> Option<Result<(), &AwsError>> {
        read.as_ref().map(|read| read.as_ref().map(|_| ()))
    }
    [
        came_to(&evidence.acl),
        came_to(&evidence.policy),
        came_to(&evidence.policy_is_public),
        came_to(&evidence.website),
        came_to(&evidence.ownership),
        came_to(&evidence.public_access_block),
        came_to(&evidence.replication),
        came_to(&evidence.tags),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    #[test]
    fn one_answer_proves_the_owner() {
        let mut scene = Scene::default();
        scene.evidence.acl = denied("GetBucketAcl", "allow s3:GetBucketAcl");
        scene.evidence.policy = Some(Ok(None));
        assert_eq!(scene.look(&NotOwned), Word::Clear);
    }

    #[test]
    fn finds_a_bucket_that_is_gone() {
        let mut scene = Scene::default();
        let gone = AwsError { code: "NoSuchBucket".into(), ..denial("GetBucketAcl", "nothing") };
        scene.evidence.acl = Some(Err(gone));
        assert_eq!(scene.found(&NotOwned).len(), 1);
    }

    #[test]
    fn refusals_alone_cannot_tell() {
        let mut scene = Scene::default();
        scene.evidence.acl = denied("GetBucketAcl", "allow s3:GetBucketAcl");
        scene.evidence.tags = denied("GetBucketTagging", "allow s3:GetBucketTagging");
        let (why, hint) = (scene.untold(&NotOwned), scene.advice(&NotOwned));
        assert_eq!(why.len(), 2);
        assert!(
            hint.starts_with(
                "allow s3:GetBucketAcl; if it is allowed already, the bucket now belongs to another account"
            ),
            "{hint}"
        );
        let explained = AwsError {
            message: "GetBucketAcl: User: … is not authorized to perform: s3:GetBucketAcl".into(),
            ..denial("GetBucketAcl", "allow s3:GetBucketAcl")
        };
        scene.evidence.acl = Some(Err(explained));
        assert_eq!(scene.advice(&NotOwned), "allow s3:GetBucketAcl");
        assert_eq!(Scene::default().untold(&NotOwned), ["GetBucketAcl was not called"]);
    }
}
