//! The principals of an account, their policies read once: an account has thousands of principals, and hundreds of buckets.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::evaluate::role_of_session;
use super::kept::Kept;
use super::{Coverage, Effect, Holder, Parsed, Policy, Principal, Principals, Statement, Text};
use crate::judge::{KEY_ACTIONS, OBJECT_ACTIONS};
use crate::model::Identities;

/// The principals of an account, with the statements that speak of reading or writing objects or of using a key.
#[derive(Debug)]
pub struct Holders {
    /// Users and roles, in IAM's order.
    pub holders: Vec<Holder>,
    /// Their policies and boundaries, each once, in the order of the first who has it.
    pub policies: Vec<Shared>,
    /// Who holds an allow on objects of one bucket, by its name.
    of_bucket: HashMap<String, Vec<usize>>,
    /// The policies with an allow on objects that may be of any bucket, by their place.
    anywhere: Vec<usize>,
    by_arn: HashMap<String, usize>,
    /// By the last part of the ARN: sessions do not tell the path.
    by_role_name: HashMap<String, Vec<usize>>,
}

/// A policy, and all who have it.
#[derive(Debug)]
pub struct Shared {
    /// The policy.
    pub policy: Parsed,
    /// The place of each holder, and that of the policy among the holder's; `None` for its permissions boundary.
    pub by: Vec<(usize, Option<usize>)>,
}

/// One for each account that is being worked on.
static READ: Kept<Identities, Holders> = Kept::new();

impl Holders {
    /// The principals of an account, read at the first question and kept as long as the evidence is.
    #[must_use]
    pub fn of(identities: &Arc<Identities>) -> Arc<Holders> {
        READ.of(identities, Holders::read)
    }

    fn read(identities: &Identities) -> Holders {
        let mut parsed: HashMap<&str, Parsed> = HashMap::new();
        let mut parse =
            |text| parsed.entry(text).or_insert_with(|| Arc::new(Policy::parse(text).map(relevant))).clone();
        let holders: Vec<Holder> =
            identities.principals.iter().map(|identity| Holder::of(identity, &mut parse)).collect();
        let mut found = Holders {
            policies: shared(&holders),
            of_bucket: HashMap::new(),
            anywhere: Vec::new(),
            by_arn: holders.iter().enumerate().map(|(at, holder)| (holder.arn.clone(), at)).collect(),
            by_role_name: HashMap::new(),
            holders,
        };
        for (at, holder) in found.holders.iter().enumerate().filter(|(_, holder)| holder.is_role()) {
            let name = holder.arn.rsplit('/').next().unwrap_or_default();
            found.by_role_name.entry(name.to_owned()).or_default().push(at);
        }
        for (at, shared) in found.policies.iter().enumerate() {
            match buckets(&shared.policy) {
                None => found.anywhere.push(at),
                Some(buckets) => {
                    for bucket in buckets {
                        found.of_bucket.entry(bucket.to_owned()).or_default().extend(shared.holders());
                    }
                }
            }
        }
        found
    }

    /// A user or role of the account.
    #[must_use]
    pub fn holder(&self, arn: &str) -> Option<&Holder> {
        self.by_arn.get(arn).map(|&at| &self.holders[at])
    }

    /// Those who may have to do with the objects of a bucket: by an allow of their own that may cover some of them, or by the
    /// bucket's policy, which names them or lets everyone in. Nobody else may read or write them, whatever conditions and denies
    /// say.
    #[must_use]
    pub fn concerned(&self, bucket: &str, objects: &Text, bucket_policy: Option<&Policy>) -> Vec<&Holder> {
        let covers = |policy: &Policy| on_objects(policy).any(|statement| is_about(statement, objects));
        let mut found: BTreeSet<usize> = self.of_bucket.get(bucket).into_iter().flatten().copied().collect();
        for statement in bucket_policy.into_iter().flat_map(on_objects).filter(|one| is_about(one, objects)) {
            let Principals::Are(principals) = &statement.principals else { return self.holders.iter().collect() };
            for principal in principals {
                match principal {
                    Principal::Everyone => return self.holders.iter().collect(),
                    Principal::Aws(text) => {
                        found.extend(self.by_arn.get(text));
                        let sessions = role_of_session(text).and_then(|role| self.by_role_name.get(role));
                        found.extend(sessions.into_iter().flatten());
                    }
                    _ => {}
                }
            }
        }
        for shared in self.anywhere.iter().map(|&at| &self.policies[at]) {
            if shared.policy.as_ref().as_ref().map_or(true, covers) {
                found.extend(shared.holders());
            }
        }
        found.into_iter().map(|at| &self.holders[at]).collect()
    }
}

impl Shared {
    fn holders(&self) -> impl Iterator<Item = usize> {
        // A boundary allows nothing by itself.
        self.by.iter().filter(|(_, place)| place.is_some()).map(|(holder, _)| *holder)
    }
}

/// Drops the statements on actions that no guard asks about, which changes no answer on the others.
fn relevant(mut policy: Policy) -> Policy {
    policy.statements.retain(|statement| {
        is_on_objects(statement) || KEY_ACTIONS.iter().any(|action| statement.covers_action(action))
    });
    policy
}

fn is_on_objects(statement: &Statement) -> bool {
    OBJECT_ACTIONS.iter().any(|on| statement.covers_action(&on.action))
}

fn shared(holders: &[Holder]) -> Vec<Shared> {
    let mut places: HashMap<*const _, usize> = HashMap::new();
    let mut found: Vec<Shared> = Vec::new();
    for (at, holder) in holders.iter().enumerate() {
        let own = holder.policies.iter().enumerate().map(|(place, (_, policy))| (policy, Some(place)));
        for (policy, place) in own.chain(holder.boundary.iter().map(|policy| (policy, None))) {
            let known = *places.entry(Arc::as_ptr(policy)).or_insert_with(|| {
                found.push(Shared { policy: policy.clone(), by: Vec::new() });
                found.len() - 1
            });
            found[known].by.push((at, place));
        }
    }
    found
}

fn on_objects(policy: &Policy) -> impl Iterator<Item = &Statement> {
    policy.statements.iter().filter(|statement| statement.effect == Effect::Allow && is_on_objects(statement))
}

/// Whether a statement may be about some of these objects. Where a policy variable decides, it may.
fn is_about(statement: &Statement, objects: &Text) -> bool {
    statement.coverage(objects) != Ok(Coverage::None)
}

/// The buckets that a policy's allows on objects name; `None` where it may mean any.
fn buckets(policy: &Parsed) -> Option<BTreeSet<&str>> {
    let policy = policy.as_ref().as_ref().ok()?;
    let mut found = BTreeSet::new();
    for statement in on_objects(policy) {
        if statement.resources.negated {
            return None;
        }
        for pattern in &statement.resources.patterns {
            // arn:aws:s3:::bucket/key
            let bucket = pattern.splitn(6, ':').nth(5)?.split('/').next()?;
            if pattern.split('/').next()?.contains(['*', '?', '$']) {
                return None;
            }
            found.insert(bucket);
        }
    }
    Some(found)
}
