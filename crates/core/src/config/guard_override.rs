//! `[[guards.overrides]]`: a person's decision about one guard and some buckets.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::day::day_if_any;
use super::{Problem, is_account_id, unknown};
use crate::glob::matches;
use crate::judge::guards;
use crate::model::{Bucket, Severity};

/// Another severity of one guard for some buckets, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardOverride {
    /// The guard's name.
    pub guard: String,
    /// Account ids; without them, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Bucket names, in which `*` and `?` may stand; without them, all of the accounts named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// The severity there.
    pub severity: Severity,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The last day (UTC) on which it holds, such as 2030-12-31; without it, it holds until it is taken out.
    #[serde(default, deserialize_with = "day_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub until: Option<Date>,
}

impl GuardOverride {
    /// Whether it speaks of a bucket on a day.
    pub(super) fn is_for(&self, bucket: &Bucket, day: Date) -> bool {
        !self.is_over(day)
            && (self.accounts.is_empty() || self.accounts.contains(&bucket.account))
            && (self.buckets.is_empty() || self.buckets.iter().any(|pattern| matches(pattern, &bucket.name)))
    }

    /// Whether its last day has passed.
    #[must_use]
    pub fn is_over(&self, day: Date) -> bool {
        self.until.is_some_and(|until| day > until)
    }

    /// Why, who answers for it and until when, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let owner = self.owner.clone();
        let until = self.until.map(|until| format!("until {until}"));
        let more: Vec<String> = owner.into_iter().chain(until).collect();
        match more.is_empty() {
            true => self.reason.clone(),
            false => format!("{} ({})", self.reason, more.join(", ")),
        }
    }

    pub(super) fn check(&self, path: &str, found: &mut Vec<Problem>) {
        let mut problem = |below: &str, message: String, instead: String| {
            found.push(Problem::new(format!("{path}{below}"), message, instead));
        };
        let names: Vec<&str> = guards::ALL.iter().map(|guard| guard.name()).collect();
        if !names.contains(&self.guard.as_str()) {
            problem(".guard", format!("there is no guard `{}`", self.guard), unknown::advice(&self.guard, &names));
        }
        if self.accounts.is_empty() && self.buckets.is_empty() {
            problem(
                "",
                "this override names neither accounts nor buckets".to_owned(),
                format!("add them, or write {} = \"{}\" under [guards]", self.guard, self.severity.as_str()),
            );
        }
        for (index, id) in self.accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
            let message = format!("`{id}` is not an account id");
            problem(&format!(".accounts[{index}]"), message, "write twelve digits in quotes".to_owned());
        }
        for (index, name) in self.buckets.iter().enumerate().filter(|(_, name)| name.trim().is_empty()) {
            let message = format!("`{name}` is not a bucket's name");
            problem(&format!(".buckets[{index}]"), message, "write a name, with `*` for any letters".to_owned());
        }
        if self.reason.trim().is_empty() {
            let message = "the reason is empty".to_owned();
            problem(".reason", message, "say why: the reason is written to the ledger".to_owned());
        }
    }
}
