//! The principals of an account, their policies read once: an account has thousands of principals, and hundreds of buckets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Holder, Parsed, Policy};
use crate::model::Identities;

/// The principals of an account, with the statements that speak of reading or writing objects or of using a key.
#[derive(Debug)]
pub struct Holders {
    /// Users and roles, in IAM's order.
    pub holders: Vec<Holder>,
}

/// What the guards ask about. Other statements are dropped, which changes no answer on these.
const ACTIONS: [&str; 4] = ["s3:PutObject", "s3:GetObject", "kms:GenerateDataKey", "kms:Decrypt"];

/// One for each account that is being worked on. The weak side keeps the address from being used again while it stands here.
static READ: Mutex<Vec<(Weak<Identities>, Arc<Holders>)>> = Mutex::new(Vec::new());

impl Holders {
    /// The principals of an account, read at the first question and kept as long as the evidence is.
    #[must_use]
    pub fn of(identities: &Arc<Identities>) -> Arc<Holders> {
        let known = |read: &[(Weak<Identities>, Arc<Holders>)]| {
            let same = |(of, _): &&(Weak<Identities>, Arc<Holders>)| of.as_ptr() == Arc::as_ptr(identities);
            read.iter().find(same).map(|(_, holders)| holders.clone())
        };
        if let Some(holders) = known(&READ.lock().unwrap_or_else(PoisonError::into_inner)) {
            return holders;
        }
        // Outside the lock: reading takes long, and another account has its own to read.
        let holders = Arc::new(Holders::read(identities));
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|(of, _)| of.strong_count() > 0);
        known(&read).unwrap_or_else(|| {
            read.push((Arc::downgrade(identities), holders.clone()));
            holders
        })
    }

    fn read(identities: &Identities) -> Holders {
        let mut shared: HashMap<&str, Parsed> = HashMap::new();
        let mut parsed = |text| {
            let policy = shared.entry(text).or_insert_with(|| Arc::new(Policy::parse(text).map(relevant)));
            policy.clone()
        };
        let holders = identities.principals.iter().map(|identity| Holder::of(identity, &mut parsed)).collect();
        Holders { holders }
    }
}

fn relevant(mut policy: Policy) -> Policy {
    policy.statements.retain(|statement| ACTIONS.iter().any(|action| statement.covers_action(action)));
    policy
}
