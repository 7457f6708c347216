//! `principals-without-key`: who works with the bucket from its own account, and may not use the central key.
//!
//! `uses` is what a principal may do with the objects, `gap` what it lacks of the key and why, `fix` what to do about it,
//! `service_linked` the roles that nobody can add a policy to.

mod fix;
mod gap;
mod service_linked;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::fix::Fixes;
use self::gap::Gap;
use self::service_linked::Effect;
use self::uses::{Point, Uses};
use super::access::{DECRYPT, known_via_s3};
use super::seen::Seen;
use super::sight::{Dark, Sight};
use super::unsigned::without_network_statements;
use super::{Guard, Need, Terms, Word};
use crate::glob::matches;
use crate::judge::policy::{Answer, Holder, Holders, Policy, Request, Right};
use crate::model::{AccountWarning, Identities, KeyArn};

/// Under SSE-S3 nobody needs a right on a key; under a key of another account everybody does, in their own policies. What
/// takes that away (service control policies, endpoint policies) is not seen.
pub(super) struct PrincipalsWithoutKey;

impl Guard for PrincipalsWithoutKey {
    fn name(&self) -> &'static str {
        "principals-without-key"
    }

    fn keeps_from(&self) -> &'static str {
        "users and roles of the bucket's account that cannot use the central key lose access to objects"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Identities, Need::KeyPolicy, Need::AccessPoints, Need::Replication]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

/// Both sides of what a principal needs.
struct Sides<'a> {
    at: &'a Sight<'a>,
    /// The bucket's policy, without statements for unsigned requests.
    bucket: Option<&'a Policy>,
    /// The account's access points on the bucket.
    points: Vec<Point<'a>>,
    key: KeyArn,
    key_policy: &'a Policy,
}

/// What is said of one principal.
enum Said {
    /// Not sure: whether the principal comes in at all cannot be told.
    Lacks {
        line: String,
        gap: Gap,
        is_sure: bool,
    },
    Unclear(String),
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()? else { return Ok(Word::Clear) };
    let holders = at.holders()?;
    let bucket = at.bucket_policy()?;
    // Callers that are let in by network alone may be unsigned: `public-access` holds the bucket for them. Where it is overridden, the
    // bucket is changed, and those of them that sign need the key.
    let signed = bucket.filter(|_| at.public_access_holds).and_then(|policy| without_network_statements(policy, at));
    let (bucket, points) = (signed.as_ref().or(bucket), uses::points(at));
    let sides = Sides { at, bucket, points, key, key_policy: at.key_policy()? };
    let (mut seen, mut fixes, mut doors) = (Seen::default(), Fixes::default(), Doors::default());
    for holder in uses::concerned(&holders, &sides) {
        if at.ignores(&holder.arn) || service_linked::effect(&holder.arn) == Some(Effect::Warn) {
            continue;
        }
        match sides.look_at(holder, &mut doors) {
            Some(Said::Lacks { line, gap, is_sure }) => {
                let fix = fixes.add(holder, &gap, &sides);
                seen.principal(gap.blocking(holder, fix));
                if is_sure { seen.saw(line) } else { seen.unsure(line) }
            }
            Some(Said::Unclear(line)) => seen.unsure(line),
            None => {}
        }
    }
    unseen_replication_roles(&holders, at).into_iter().for_each(|line| seen.unsure(line));
    let says = match seen.found() {
        1 => "a user or role of the bucket's account can access objects in this bucket but cannot use the central key"
            .to_owned(),
        count => {
            format!(
                "{count} users and roles of the bucket's account can access objects in this bucket but cannot use the central \
                 key"
            )
        }
    };
    doors.lines().for_each(|line| seen.note(line));
    Ok(seen.word(&says, &fixes.hint(!doors.0.is_empty())))
}

/// What is said once for the account: service-linked roles that lose their access, and whose loss holds no bucket.
pub(super) fn account_warnings(at: &Sight<'_>) -> Vec<AccountWarning> {
    let known = || {
        let key = at.central_key().ok()??;
        Some((key, at.holders().ok()?, at.bucket_policy().ok()?, at.key_policy().ok()?))
    };
    let Some((key, holders, bucket, key_policy)) = known() else { return Vec::new() };
    let sides = Sides { at, bucket, points: Vec::new(), key, key_policy };
    let warned = holders
        .holders
        .iter()
        .filter(|holder| service_linked::effect(&holder.arn) == Some(Effect::Warn) && !at.ignores(&holder.arn));
    let lacking =
        warned.filter(|holder| matches!(sides.look_at(holder, &mut Doors::default()), Some(Said::Lacks { .. })));
    lacking.filter_map(|holder| service_linked::warning(&holder.arn, &sides.key, &at.bucket.account)).collect()
}

/// The same as far as the account's own policies tell: in the key's own account its policy may allow a role by itself.
pub(super) fn warnings_by_iam(
    identities: &Arc<Identities>,
    key: &KeyArn,
    (partition, account): (&str, &str),
    terms: &Terms,
) -> Vec<AccountWarning> {
    if key.account == account {
        return Vec::new();
    }
    let ignores = |arn: &str| terms.ignored_principals.iter().any(|pattern| matches(pattern, arn));
    let holders = Holders::of(identities);
    let warned = holders.holders.iter().filter(|holder| {
        let request = Request::of(&holder.arn, account, DECRYPT, key.to_string().as_str().into())
            .with("kms:ViaService", known_via_s3(partition, &key.region));
        service_linked::effect(&holder.arn) == Some(Effect::Warn)
            && !ignores(&holder.arn)
            && holder.may(&request).answer == Answer::No
    });
    warned.filter_map(|holder| service_linked::warning(&holder.arn, key, account)).collect()
}

/// Replication roles that the account does not show: of another account, or deleted.
fn unseen_replication_roles(holders: &Holders, at: &Sight<'_>) -> Vec<String> {
    let rules = uses::replication_rules(at).filter(|rule| rule.selects_kms && holders.holder(&rule.role).is_none());
    let unseen = rules.filter(|rule| !at.ignores(&rule.role));
    unseen
        .map(|rule| {
            format!(
                "{}, the role of replication rule {} to {}, is not one of the account's roles: could not determine whether it \
                 may {DECRYPT}",
                rule.role, rule.id, rule.destination
            )
        })
        .collect()
}

/// The statements of the bucket's policy that let everyone in, as far as somebody who comes by them has not all that it needs;
/// with why it cannot be told of anyone, where it cannot.
#[derive(Default)]
struct Doors(BTreeMap<String, Option<String>>);

impl Doors {
    fn note(&mut self, right: &Right) {
        let Some(statement) = &right.as_one_of_all else { return };
        let why = match &right.answer {
            Answer::CannotTell(why) => Some(why.clone()),
            _ => None,
        };
        let known = self.0.entry(statement.clone()).or_insert_with(|| why.clone());
        if why.is_none() {
            *known = None;
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(statement, why)| match why {
            None => format!("the bucket policy allows every principal of the account ({statement})"),
            Some(why) => {
                let why = why.strip_prefix(statement.as_str()).and_then(|why| why.strip_prefix(": ")).unwrap_or(why);
                format!("the bucket policy possibly allows every principal of the account ({statement}): {why}")
            }
        })
    }
}

impl Sides<'_> {
    fn look_at(&self, holder: &Holder, doors: &mut Doors) -> Option<Said> {
        let uses = Uses::of(holder, self);
        let gap = Gap::of(holder, &uses.needs(), self);
        if gap.is_closed() {
            return None;
        }
        uses.rights().for_each(|right| doors.note(right));
        let does = uses.describe(holder, self.at);
        let lacks = gap.lacks();
        if lacks.is_empty() {
            return gap.unclear.map(|why| Said::Unclear(format!("{} {does}; {why}", holder.arn)));
        }
        let note = match (uses.writes(), lacks.as_slice()) {
            (true, [DECRYPT]) => ", which multipart uploads need",
            _ => "",
        };
        let line = format!("{} {does}, and lacks {}{note}: {}", holder.arn, lacks.join(" and "), gap.why());
        Some(Said::Lacks { line, is_sure: uses.surely_need(&lacks), gap })
    }
}
