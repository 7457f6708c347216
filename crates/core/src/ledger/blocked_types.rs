//! What a bucket's state says about `BlockedEncryptionTypes`: what the last start was to keep, and what came of it.

use std::collections::BTreeSet;

use super::BucketState;
use crate::model::{BlockedTypesElement, DefaultEncryption, EncryptionRule};

impl BucketState {
    /// The encryption types that the bucket is to block after the last start. `None`: that start was made by a version that did not
    /// read the element, or by a version that read it when S3 did not return it yet, so it says nothing of the types.
    pub(crate) fn types_to_keep(&self) -> Option<BTreeSet<&str>> {
        let intent = self.intent.as_ref()?;
        let of = |rule: &EncryptionRule| rule.blocked.is_some();
        let recorded = match &intent.rule {
            Some(rule) => of(rule),
            None => self.found.as_ref().and_then(DefaultEncryption::only_rule).is_some_and(of),
        };
        (intent.blocked_types.is_some() || recorded).then(|| self.expected_types())
    }

    /// The encryption types that the last start was to leave blocked.
    pub(crate) fn expected_types(&self) -> BTreeSet<&str> {
        let rule = self.intent.as_ref().and_then(|intent| intent.rule.as_ref());
        rule.map(EncryptionRule::blocked_types)
            .or(self.found.as_ref().map(DefaultEncryption::blocked_types))
            .unwrap_or_default()
    }

    /// Whether this is the rule that the last start puts, whatever encryption types it blocks.
    pub(crate) fn is_put(&self, shown: &DefaultEncryption) -> bool {
        let put = self.intent.as_ref().and_then(|intent| intent.rule.as_ref());
        put.zip(shown.only_rule()).is_some_and(|(put, shown)| shown.means_but_for_blocked_types(put))
    }

    /// Whether the last start omitted `BlockedEncryptionTypes`.
    pub(crate) fn omits_types(&self) -> bool {
        self.intent.as_ref().and_then(|intent| intent.blocked_types) == Some(BlockedTypesElement::Omitted)
    }

    /// Whether a read-back has shown what the last start put, so that its effect on the blocked types is known.
    pub(crate) fn was_read_back(&self) -> bool {
        self.left.as_ref().is_some_and(|left| self.is_put(left))
    }

    /// The blocked encryption types that a bucket is to have again: the last start changed them, and `shown` has them as it left them.
    /// Types that differ where nothing else does were changed by somebody else.
    pub(crate) fn types_to_set_again(&self, shown: &DefaultEncryption) -> Option<Vec<String>> {
        let (left, kept) = (self.left.as_ref()?, self.types_to_keep()?);
        let untouched = self.found.as_ref().is_some_and(|found| left.means_but_for_blocked_types(found));
        let ours = self.is_put(left) || !untouched;
        if !ours || left.blocked_types() == kept || shown.blocked_types() != left.blocked_types() {
            return None;
        }
        Some(match kept.is_empty() {
            true => vec!["NONE".to_owned()],
            false => kept.into_iter().map(str::to_owned).collect(),
        })
    }

    /// The configuration to go back to, where another start is about to leave and S3 shows `found`.
    pub(super) fn to_go_back_to(&self, found: &DefaultEncryption) -> DefaultEncryption {
        // What an earlier attempt put is our own doing, read back or not.
        let put = self.intent.as_ref().is_some_and(|intent| intent.blocked_types.is_some()) && self.is_put(found);
        let left = self.left.as_ref().filter(|left| found.is_as_recorded(left));
        let first = self.found.as_ref().filter(|first| put || left.is_some() || found.is_as_recorded(first));
        // Whether the element that S3 returns was set by a change of ours.
        let ours = left.map_or(put, records_types);
        match first {
            // S3 returns the element by now, and no change of ours set it: it belongs to what was there before.
            Some(first) if !records_types(first) && !ours => {
                with_types(first, found.only_rule().and_then(|rule| rule.blocked.clone()))
            }
            Some(first) => first.clone(),
            None => match self.types_to_set_again(found) {
                Some(types) => with_types(found, Some(types)),
                None => found.clone(),
            },
        }
    }
}

/// Whether `BlockedEncryptionTypes` is in it.
fn records_types(encryption: &DefaultEncryption) -> bool {
    encryption.only_rule().is_some_and(|rule| rule.blocked.is_some())
}

/// The same with these blocked types. Where nothing is blocked, an absent element says it.
fn with_types(encryption: &DefaultEncryption, types: Option<Vec<String>>) -> DefaultEncryption {
    let rule = match encryption.rules.as_slice() {
        [] => EncryptionRule::SSE_S3,
        [rule] => rule.clone(),
        _ => return encryption.clone(),
    };
    let with = EncryptionRule { blocked: types, ..rule };
    match with.blocked_types() == encryption.blocked_types() {
        true => encryption.clone(),
        false => with.into(),
    }
}
