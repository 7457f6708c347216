//! What a bucket's configuration means to a rollback.

use crate::model::{DefaultEncryption, EncryptionRule, Judgement, Reason, Restore, Verdict};

/// The verdict on a bucket that a campaign changed: as before, still as the campaign left it, or changed since by
/// somebody else, whose word then counts.
#[must_use]
pub fn judge_restore(found: &DefaultEncryption, restore: &Restore) -> Judgement {
    // What the campaign changed is compared strictly. Where it changed no blocked types, a record without the element says nothing
    // of them: S3 began to return it in April 2026.
    let (verdict, reason) = match changed_blocked_types(restore) {
        true if found.means(&restore.former) => (Verdict::Restored, Reason::AsBefore),
        false if found.is_as_recorded(&restore.former) => (Verdict::Restored, Reason::AsBefore),
        _ if restore.left.iter().any(|left| found.is_as_recorded(left)) => {
            (Verdict::NotRestored, Reason::AsTheCampaignLeftIt)
        }
        _ => (Verdict::Held, Reason::ChangedSince),
    };
    Judgement { verdict, reason, observed: None }
}

/// The rule to put back, given the one that S3 shows now. S3 knows no "none": the default that it applies then, SSE-S3, is put
/// instead. Blocked types of which the record says nothing stay as they are, unless the campaign changed them.
#[must_use]
pub fn former_rule(restore: &Restore, found: &DefaultEncryption) -> EncryptionRule {
    let former = restore.former.only_rule().cloned().unwrap_or(EncryptionRule::SSE_S3);
    let blocked = match (former.blocked, changed_blocked_types(restore)) {
        (Some(blocked), _) => Some(blocked),
        (None, true) => Some(vec!["NONE".to_owned()]),
        (None, false) => found.only_rule().and_then(|rule| rule.blocked.clone()),
    };
    EncryptionRule { algorithm: former.algorithm.or(EncryptionRule::SSE_S3.algorithm), blocked, ..former }
}

/// Whether a change of the campaign left other blocked encryption types than there were.
fn changed_blocked_types(restore: &Restore) -> bool {
    restore.left.iter().any(|left| left.blocked_types() != restore.former.blocked_types())
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
        // The campaign blocked SSE-C where nothing was blocked: that is undone as well.
        let undone = EncryptionRule { blocked: Some(vec!["NONE".into()]), ..EncryptionRule::SSE_S3 };
        assert_eq!(former_rule(&restore, &kms("central")), undone);
        assert_eq!(verdict(&undone.into()), Verdict::Restored, "NONE and nothing are one");
        let still_blocked = EncryptionRule { blocked: Some(vec!["SSE-C".into()]), ..EncryptionRule::SSE_S3 };
        assert_eq!(verdict(&still_blocked.into()), Verdict::Held);
        // The blocked types are part of it: somebody changed them.
        let unblocked = EncryptionRule { blocked: None, ..kms("central").rules.remove(0) };
        assert_eq!(verdict(&unblocked.into()), Verdict::Held);
    }

    #[test]
    fn what_s3_began_to_return_in_april_2026_is_nobodys_change() {
        let central = |blocked: Option<&str>| {
            let blocked = blocked.map(|kind| vec![kind.to_owned()]);
            DefaultEncryption::from(EncryptionRule { blocked, ..kms("central").rules.remove(0) })
        };
        let restore = Restore {
            former: EncryptionRule::SSE_S3.into(),
            left: vec![central(None)],
            touched_at: jiff::Timestamp::UNIX_EPOCH,
            restored_at: None,
        };
        for now in [None, Some("NONE"), Some("SSE-C")] {
            assert_eq!(judge_restore(&central(now), &restore).verdict, Verdict::NotRestored, "{now:?}");
            let rule = former_rule(&restore, &central(now));
            assert_eq!(rule.blocked, now.map(|kind| vec![kind.to_owned()]), "it stays as it is");
            assert_eq!(judge_restore(&rule.into(), &restore).verdict, Verdict::Restored, "{now:?}");
        }
        // A block that the campaign lost comes back.
        let lost = Restore { former: central(Some("SSE-C")), left: vec![central(Some("NONE"))], ..restore };
        assert_eq!(judge_restore(&central(Some("NONE")), &lost).verdict, Verdict::NotRestored);
        assert_eq!(former_rule(&lost, &central(None)).blocked_types().len(), 1);
    }
}
