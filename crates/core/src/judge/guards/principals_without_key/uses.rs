//! What a principal may do with the objects of a bucket that needs their key: directly, or through an access point.

use std::sync::Arc;

use super::super::access;
use super::super::sight::Sight;
use super::Sides;
use super::service_linked;
use crate::judge::policy::{Answer, Holder, Holders, Known, Policy, Request, Right, Text};
use crate::judge::{OBJECT_ACTIONS, ObjectAction};
use crate::model::ReplicationRule;

/// What actions are for, as the list says.
const WRITE: &str = "write";
const READ: &str = "read";
const REPLICATE_FROM: &str = "replicate objects from this bucket";
const REPLICATE_TO: &str = "replicate objects to this bucket";

/// The actions that a principal may do, or perhaps may, in the order of the list.
pub(super) struct Uses(Vec<(&'static ObjectAction, Right)>);

impl Uses {
    pub(super) fn of(holder: &Holder, sides: &Sides<'_>) -> Uses {
        let replicates = holder.is_for_s3 || replication_rules(sides.at).any(|rule| rule.role == holder.arn);
        let mut found: Vec<(&'static ObjectAction, Right)> = Vec::new();
        for action in OBJECT_ACTIONS.iter() {
            let known = found.iter().position(|(known, _)| known.does == action.does);
            // What it surely may do by one action need not be asked of another to the same end.
            let is_sure = known.is_some_and(|at| found[at].1.answer == Answer::Yes);
            if is_sure || !replicates && is_covered(action, 2, &found) {
                continue;
            }
            let right = right(holder, action, sides);
            if !right.answer.is_possible() {
                continue;
            }
            match known {
                Some(at) => found[at].1 = found[at].1.clone().or(right),
                None => found.push((action, right)),
            }
        }
        let all = found.clone();
        found.retain(|(action, right)| {
            replicates && matches!(action.does.as_str(), REPLICATE_FROM | REPLICATE_TO)
                || !is_covered(action, certainty(right), &all)
        });
        Uses(found)
    }

    /// The KMS actions that its uses need, each once, in the order of the list.
    pub(super) fn needs(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for need in self.0.iter().flat_map(needs) {
            if !found.contains(&need) {
                found.push(need);
            }
        }
        found
    }

    pub(super) fn rights(&self) -> impl Iterator<Item = &Right> {
        self.0.iter().map(|(_, right)| right)
    }

    pub(super) fn writes(&self) -> bool {
        self.0.iter().any(|(action, _)| action.does == WRITE)
    }

    /// Whether one of the uses that it surely makes needs some of this. What everyone may under conditions says of nobody in
    /// particular that they come in.
    pub(super) fn surely_need(&self, lacks: &[&str]) -> bool {
        self.0.iter().any(|(action, right)| {
            let comes = match right.answer {
                Answer::Yes => true,
                Answer::CannotTell(_) => right.as_one_of_all.is_none(),
                Answer::No => false,
            };
            comes && action.needs.iter().any(|need| lacks.contains(&need.as_str()))
        })
    }

    /// What it may do, for people, each use with the policy and statement that allows it.
    pub(super) fn describe(&self, holder: &Holder, at: &Sight<'_>) -> String {
        let mut said: Vec<(bool, Vec<&str>, Option<&str>)> = Vec::new();
        for (action, right) in &self.0 {
            let perhaps = matches!(right.answer, Answer::CannotTell(_));
            let by = right.by.as_deref();
            match said.iter_mut().find(|(_, _, known)| *known == by) {
                Some((_, does, _)) => does.push(&action.does),
                None => said.push((perhaps, vec![&action.does], by)),
            }
        }
        let parts = said.into_iter().map(|(perhaps, does, by)| {
            let perhaps = if perhaps { "possibly, under conditions, " } else { "" };
            let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
            format!("{perhaps}{}{by}", does.join(" and "))
        });
        let mut text = format!("may {}", parts.collect::<Vec<_>>().join(" and "));
        for rule in replication_rules(at).filter(|rule| rule.role == holder.arn) {
            text.push_str(&format!(", as the role of replication rule {} to {}", rule.id, rule.destination));
        }
        text
    }
}

/// Whether writing or reading, at least as sure, says it all. Whoever may do everything (`s3:*`, `s3:Get*`) reads and writes; S3 alone
/// replicates, as a role that it may assume.
fn is_covered(action: &ObjectAction, sure: u8, found: &[(&'static ObjectAction, Right)]) -> bool {
    let surest = |what: &str| {
        found.iter().filter(|(known, _)| known.does == what).map(|(_, right)| certainty(right)).max().unwrap_or(0)
    };
    match action.does.as_str() {
        WRITE | READ => false,
        REPLICATE_TO => surest(WRITE) >= sure,
        _ => surest(WRITE).max(surest(READ)) >= sure,
    }
}

/// Nothing, perhaps, surely.
fn certainty(right: &Right) -> u8 {
    match right.answer {
        Answer::No => 0,
        Answer::CannotTell(_) => 1,
        Answer::Yes => 2,
    }
}

fn needs<'a>(one: &'a (&'static ObjectAction, Right)) -> impl Iterator<Item = &'static str> + 'a {
    one.0.needs.iter().map(String::as_str)
}

/// The bucket's enabled replication rules, as far as they were read.
pub(super) fn replication_rules<'a>(at: &'a Sight<'_>) -> impl Iterator<Item = &'a ReplicationRule> {
    let rules = match &at.evidence.replication {
        Some(Ok(rules)) => rules.as_slice(),
        _ => &[],
    };
    rules.iter().filter(|rule| rule.enabled)
}

/// An access point of the bucket's own account.
pub(super) struct Point<'a> {
    name: &'a str,
    arn: String,
    origin: &'a str,
    /// What it says; `None` without a policy, or with one that is not understood, of which `access-points` tells.
    policy: Option<Policy>,
}

/// The account's access points on the bucket, as far as they were read.
pub(super) fn points<'a>(at: &'a Sight<'_>) -> Vec<Point<'a>> {
    let points = match &at.evidence.access_points {
        Some(Ok(points)) => points.as_slice(),
        _ => &[],
    };
    let own = points.iter().filter(|point| point.account == at.bucket.account);
    let read = own.map(|point| Point {
        name: &point.name,
        arn: format!("arn:{}:s3:{}:{}:accesspoint/{}", at.partition, at.bucket.region, point.account, point.name),
        origin: &point.origin,
        policy: point.policy.as_deref().and_then(|text| Policy::parse(text).ok()),
    });
    read.collect()
}

impl Point<'_> {
    fn objects(&self) -> Text {
        Text::Beginning(format!("{}/object/", self.arn))
    }
}

/// The principals who may have to do with the bucket's objects, by whatever way.
pub(super) fn concerned<'a>(holders: &'a Arc<Holders>, sides: &Sides<'_>) -> Vec<&'a Holder> {
    let mut found = holders.concerned(&sides.at.bucket.name, &access::objects(sides.at), sides.bucket);
    for point in &sides.points {
        // Identity policies name an access point where they would name a bucket.
        for holder in holders.concerned("accesspoint", &point.objects(), point.policy.as_ref()) {
            if !found.iter().any(|known| std::ptr::eq(*known, holder)) {
                found.push(holder);
            }
        }
    }
    found
}

/// Whether a principal may do something to some of the bucket's objects, directly or through an access point.
fn right(holder: &Holder, action: &ObjectAction, sides: &Sides<'_>) -> Right {
    let at = sides.at;
    let request = |resource: Text| access::of_bucket(holder.request(&at.organization.id, &action.action, resource), at);
    // Where the account's access points were read, each is asked below, and what is asked here comes through none.
    let direct = match &at.evidence.access_points {
        Some(Ok(_)) => through(request(access::objects(at)), &Known::Absent, &Known::Absent, &Known::Absent),
        _ => request(access::objects(at)),
    };
    let mut right = holder.may_in_own_bucket(sides.bucket, &direct);
    if service_linked::is_service_linked(&holder.arn) && right.as_one_of_all.is_some() {
        // A service uses what its own role's policy names, not what is open to everyone.
        right = Right { answer: Answer::No, by: None, as_one_of_all: None };
    }
    for point in &sides.points {
        if right.answer == Answer::Yes {
            break;
        }
        let known = |value: &str| Known::Values(vec![Text::from(value)]);
        let (account, arn, origin) = (known(&at.bucket.account), known(&point.arn), known(point.origin));
        let through = |resource: Text| through(request(resource), &account, &arn, &origin);
        let of_point = holder.may_in_own_bucket(point.policy.as_ref(), &through(point.objects()));
        if !of_point.answer.is_possible() {
            continue;
        }
        // S3 user guide, access points: both the access point and the bucket must permit it.
        let of_bucket = holder.may_in_own_bucket(sides.bucket, &through(access::objects(at)));
        let answer = of_point.answer.and(of_bucket.answer);
        let by = of_point
            .by
            .filter(|_| answer.is_possible())
            .map(|by| format!("access point {}: {}", point.name, by.replace("the bucket policy", "its policy")));
        right = right.or(Right { by, answer, as_one_of_all: of_point.as_one_of_all });
    }
    right
}

fn through(request: Request, account: &Known, arn: &Known, origin: &Known) -> Request {
    request
        .with("s3:DataAccessPointAccount", account.clone())
        .with("s3:DataAccessPointArn", arn.clone())
        .with("s3:AccessPointNetworkOrigin", origin.clone())
}
