//! What to do about principals that lack the key: for each cause its own fix, with exactly what is lacking, and for all principals
//! with the same one together.

use std::collections::BTreeMap;

use super::super::access;
use super::Sides;
use super::gap::{Cause, Gap};
use super::service_linked;
use crate::judge::policy::Holder;

/// So many principals are named in a fix before the rest is counted.
const NAMED: usize = 5;
/// In the ARN of a role that IAM Identity Center makes of a permission set. Nobody can edit the role itself.
const PERMISSION_SET: &str = ":role/aws-reserved/sso.amazonaws.com/";
const PERMISSION_SET_NAME: &str = "/AWSReservedSSO_";

/// The fixes, in the order in which the first principal needs them.
#[derive(Default)]
pub(super) struct Fixes {
    /// Before and after the principals' names.
    order: Vec<(String, String)>,
    who: BTreeMap<(String, String), Vec<String>>,
}

impl Fixes {
    /// Adds what one principal needs. Returns that alone.
    pub(super) fn add(&mut self, holder: &Holder, gap: &Gap, sides: &Sides<'_>) -> String {
        let name = holder.arn.splitn(6, ':').nth(5).unwrap_or(&holder.arn);
        let mut own = Vec::new();
        for (cause, actions) in &gap.causes {
            let fix = fix(holder, cause, actions, sides);
            own.push(in_words(&fix, &[name.to_owned()]));
            let who = self.who.entry(fix.clone()).or_default();
            if who.is_empty() {
                self.order.push(fix);
            }
            who.push(name.to_owned());
        }
        own.dedup();
        own.join("; ")
    }

    /// All of them, as a hint.
    pub(super) fn hint(&self, lets_everyone_in: bool) -> String {
        let mut fixes: Vec<String> = self.order.iter().map(|fix| in_words(fix, &self.who[fix])).collect();
        if lets_everyone_in {
            fixes.push(
                "or replace \"everyone\" in the bucket policy with the principals that use the bucket".to_owned(),
            );
        }
        fixes.push("add principals that do not need the key to guards.ignored_principals".to_owned());
        fixes.join("; ")
    }
}

fn in_words((before, after): &(String, String), who: &[String]) -> String {
    if after.is_empty() {
        return before.clone();
    }
    let named = who.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match who.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{before} {named}{more} {after}")
}

/// What to do about one cause: the words before and after the principals it is for; none after where it names nobody.
fn fix(holder: &Holder, cause: &Cause, actions: &[&str], sides: &Sides<'_>) -> (String, String) {
    let statement = || access::statement(sides.at, &sides.key, actions, None);
    let all = actions.join(" and ");
    let key = &sides.key;
    match cause {
        Cause::KeyPolicy => {
            let root = format!("arn:{}:iam::{}:root", sides.at.partition, sides.at.bucket.account);
            let admit = access::statement(sides.at, key, actions, Some(("AWS", &root)));
            (format!("add to the key policy {admit}"), String::new())
        }
        Cause::KeyDeny(by) => ("exempt".to_owned(), format!("from {by} of the key policy, which denies {all}")),
        _ if service_linked::is_service_linked(&holder.arn) => {
            (service_linked::fix(&holder.arn).unwrap_or_default(), String::new())
        }
        Cause::ObjectContext => (
            "extend the condition on kms:EncryptionContext:aws:s3:arn in the policies of".to_owned(),
            format!("with the bucket ARN, {}, for {all}", access::bucket_arn(sides.at)),
        ),
        Cause::Boundary => ("add to the permissions boundary of".to_owned(), statement()),
        Cause::OwnDeny(by) => ("exempt".to_owned(), format!("from {by}, which denies {all} on {key}")),
        Cause::OwnPolicies if is_permission_set(&holder.arn) => {
            ("add to the IAM Identity Center permission set of".to_owned(), statement())
        }
        Cause::OwnPolicies => ("add to the policies of".to_owned(), statement()),
    }
}

fn is_permission_set(arn: &str) -> bool {
    arn.contains(PERMISSION_SET) || arn.contains(PERMISSION_SET_NAME)
}
