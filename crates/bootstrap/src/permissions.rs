//! Who needs what, and why: `templates/permissions.yaml`, read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_norway::{Mapping, Value};

use crate::groundwork::Groundwork;
use crate::tree::{map, text, texts};

const SOURCE: &str = include_str!("templates/permissions.yaml");

/// Whose permission it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Whoever runs orgseal in the security account.
    Caller,
    /// The member role that may only read.
    Audit,
    /// The member role that starts documents.
    Rollout,
    /// The role under which the document runs.
    Automation,
}

/// A setting of the campaign file that a permission serves; without it the permission is in no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Setting {
    /// `audit.count_out_of_scope`
    CountOutOfScope,
}

impl Setting {
    fn is_on(self, groundwork: &Groundwork) -> bool {
        match self {
            Setting::CountOutOfScope => groundwork.file.audit.count_out_of_scope,
        }
    }
}

/// A statement of a policy, with why each action is needed.
#[derive(Clone, Debug, Deserialize)]
pub struct Grant {
    /// The statement's id.
    pub sid: String,
    /// In whose policies it stands.
    pub who: Vec<Who>,
    resources: Vec<String>,
    condition: Option<Value>,
    optional: Option<Setting>,
    /// Actions, in their order, with what each is for.
    pub actions: Mapping,
}

/// All grants.
#[must_use]
pub fn grants() -> Vec<Grant> {
    serde_norway::from_str(SOURCE).unwrap_or_default()
}

/// The policy of one of them.
pub(crate) fn policy(who: &[Who], groundwork: &Groundwork) -> Value {
    let filling = groundwork.filling();
    let of_them = grants()
        .into_iter()
        .filter(|grant| grant.who.iter().any(|one| who.contains(one)))
        .filter(|grant| grant.optional.is_none_or(|setting| setting.is_on(groundwork)));
    let statements = of_them.map(|grant| {
        let actions: Vec<String> = grant.actions.keys().filter_map(Value::as_str).map(str::to_owned).collect();
        let resources: Vec<String> = grant.resources.iter().map(|resource| filling.fill_text(resource)).collect();
        let mut members = vec![
            ("Sid", text(grant.sid)),
            ("Effect", text("Allow")),
            ("Action", texts(&actions)),
            ("Resource", texts(&resources)),
        ];
        members.extend(grant.condition.map(|condition| ("Condition", filling.fill_tree(condition))));
        map(members)
    });
    map([("Version", text("2012-10-17")), ("Statement", Value::Sequence(statements.collect()))])
}

/// The table of docs/permissions.md: actions of the same grant and reason in one row.
#[must_use]
pub fn table() -> String {
    let mut out = String::from("| action | who | for |\n| --- | --- | --- |\n");
    for grant in grants() {
        let mut rows: Vec<(Vec<&str>, &str)> = Vec::new();
        for (action, why) in &grant.actions {
            let (Some(action), Some(why)) = (action.as_str(), why.as_str()) else { continue };
            match rows.last_mut() {
                Some((actions, _)) if why == "the same" => actions.push(action),
                _ => rows.push((vec![action], why)),
            }
        }
        for (actions, why) in rows {
            let actions: Vec<String> = actions.iter().map(|action| format!("`{action}`")).collect();
            out.push_str(&format!("| {} | {} | {why} |\n", actions.join(", "), names(&grant.who)));
        }
    }
    out
}

fn names(who: &[Who]) -> String {
    let called = BTreeMap::from([(0, "caller"), (1, "member, audit"), (2, "member, rollout"), (3, "automation")]);
    let has_both = who.contains(&Who::Audit) && who.contains(&Who::Rollout);
    match who {
        _ if has_both => "member".to_owned(),
        _ => who.iter().filter_map(|one| called.get(&(*one as u8))).copied().collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_has_actions_with_a_reason_and_a_name_of_its_own() {
        let grants = grants();
        assert!(grants.len() > 15);
        let mut sids: Vec<&str> = grants.iter().map(|grant| grant.sid.as_str()).collect();
        sids.sort_unstable();
        sids.dedup();
        assert_eq!(sids.len(), grants.len());
        for grant in &grants {
            assert!(!grant.who.is_empty() && !grant.actions.is_empty() && !grant.resources.is_empty(), "{}", grant.sid);
            let reasons = grant.actions.values().all(|why| why.as_str().is_some_and(|why| why.len() > 5));
            assert!(reasons, "{}", grant.sid);
        }
    }

    #[test]
    fn the_documents_table_is_this_one() {
        let page = include_str!("../../../docs/permissions.md");
        assert!(page.contains(&table()), "put this into docs/permissions.md:\n{}", table());
    }
}
