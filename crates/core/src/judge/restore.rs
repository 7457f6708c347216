//! What a bucket's configuration means to a rollback.

use crate::model::{DefaultEncryption, EncryptionRule, Judgement, Reason, Restore, Verdict};

/// The verdict on a bucket that a campaign changed: as before, still as the campaign left it, or changed since by
/// somebody else, whose word then counts.
#[must_use]
pub fn judge_restore(found: &DefaultEncryption, restore: &Restore) -> Judgement {
    let (verdict, reason) = if found.means(&restore.former) {
        (Verdict::Restored, Reason::AsBefore)
    } else if restore.left.iter().any(|left| found.means(left)) {
        (Verdict::NotRestored, Reason::AsTheCampaignLeftIt)
    } else {
        (Verdict::Held, Reason::ChangedSince)
    };
    Judgement { verdict, reason, observed: None }
}

/// The rule to put back. S3 knows no "none": the default that it applies then, SSE-S3, is put instead.
#[must_use]
pub fn former_rule(restore: &Restore) -> EncryptionRule {
    let former = restore.former.only_rule().cloned().unwrap_or(EncryptionRule::SSE_S3);
    EncryptionRule { algorithm: former.algorithm.or(EncryptionRule::SSE_S3.algorithm), ..former }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Algorithm;

    fn kms(key: &str) -> DefaultEncryption {
        EncryptionRule {
            algorithm: Some(Algorithm::SseKms),
            key: Some(key.into()),
            bucket_key: Some(true),
            blocked: Some(vec!["SSE-C".into()]),
        }
        .into()
    }

    #[test]
    fn only_what_the_campaign_left_is_put_back() {
        let sse_s3 = DefaultEncryption::from(EncryptionRule::SSE_S3);
        let restore = Restore {
            former: DefaultEncryption::default(),
            left: vec![kms("central")],
            touched_at: jiff::Timestamp::UNIX_EPOCH,
            restored_at: None,
        };
        let verdict = |found: &DefaultEncryption| judge_restore(found, &restore).verdict;
        assert_eq!(verdict(&kms("central")), Verdict::NotRestored);
        // "None" and SSE-S3 are one.
        assert_eq!(verdict(&sse_s3), Verdict::Restored);
        assert_eq!(verdict(&DefaultEncryption::default()), Verdict::Restored);
        assert_eq!(verdict(&kms("another")), Verdict::Held);
        assert_eq!(former_rule(&restore), EncryptionRule::SSE_S3);
        // The blocked types are part of it: somebody changed them.
        let unblocked = EncryptionRule { blocked: None, ..kms("central").rules.remove(0) };
        assert_eq!(verdict(&unblocked.into()), Verdict::Held);
    }
}
