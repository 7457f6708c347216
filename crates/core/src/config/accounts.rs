//! `[accounts]`: which accounts the campaign is about.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id};
use crate::glob::matches;
use crate::model::Account;

/// Accounts in and out. Without `include`: all of the organization; `exclude` wins.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountFilter {
    /// Accounts that the campaign is about.
    #[serde(default)]
    pub include: AccountSelection,
    /// Accounts that it leaves alone.
    #[serde(default)]
    pub exclude: AccountSelection,
}

/// Accounts named one by one, by OU, by tag or by name. One match is enough.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSelection {
    /// Account ids.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Ids of organizational units (`ou-…`); their descendants are meant too.
    #[serde(default)]
    pub ous: Vec<String>,
    /// Tags of the account: key = value.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Account names, with `*` and `?`.
    #[serde(default)]
    pub names: Vec<String>,
}

impl AccountSelection {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.ous.is_empty() && self.tags.is_empty() && self.names.is_empty()
    }

    /// Whether it names an account.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        self.ids.contains(&account.id)
            || self.names.iter().any(|name| matches(name, &account.name))
            || self.ous.iter().any(|ou| account.ous.contains(ou))
            || self.tags.iter().any(|(key, value)| account.tags.get(key) == Some(value))
    }

    pub(super) fn check(&self, path: &str, found: &mut Vec<Problem>) {
        for (index, id) in self.ids.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
            found.push(Problem::new(
                format!("{path}.ids[{index}]"),
                format!("`{id}` is not an account id"),
                "write twelve digits in quotes",
            ));
        }
        for (index, ou) in
            self.ous.iter().enumerate().filter(|(_, ou)| !(ou.starts_with("ou-") || ou.starts_with("r-")))
        {
            found.push(Problem::new(
                format!("{path}.ous[{index}]"),
                format!("`{ou}` is not the id of an organizational unit"),
                "write an id such as ou-ab12-cdefgh34, or the root's r-ab12",
            ));
        }
    }
}

impl AccountFilter {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        self.include.check("accounts.include", found);
        self.exclude.check("accounts.exclude", found);
    }
}
