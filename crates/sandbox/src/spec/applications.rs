//! Applications: identities in accounts, with an identity policy of their own, that may write into buckets by themselves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::check::Fault;
use super::{AccountChoice, All, Spec};
use crate::generate;
use crate::policy::{Kind, Policy, shipped};

/// An application: a role or user of the same name in each of its accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Its name, which is the role's or user's.
    pub name: String,
    /// Where it is: `"all"`, or names and ids of accounts.
    #[serde(default = "everywhere")]
    pub accounts: AccountChoice,
    /// Whether it is a role or a user.
    #[serde(default)]
    pub kind: ApplicationKind,
    /// What it may do: JSON text or a path; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The name of the customer managed policy that `policy` is; an inline policy when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_policy: Option<String>,
    /// The group that a user is in and whose inline policy `policy` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its permissions boundary: JSON text or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Who may assume a role: JSON text or a path; EC2 and its own account when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// The buckets that it writes into: names, whoever owns them, and patterns with `*` and `?` among its account's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// The time between two writes into each bucket, in milliseconds at speed 1; 0 is never.
    #[serde(default)]
    pub writes_every_ms: u64,
    /// Whether it also reads what it wrote.
    #[serde(default)]
    pub reads: bool,
}

fn everywhere() -> AccountChoice {
    AccountChoice::All(All::All)
}

/// What an application is to IAM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationKind {
    /// A role, in a session of which it calls.
    #[default]
    Role,
    /// A user with an access key.
    User,
}

impl ApplicationSpec {
    /// The texts that may be paths of files.
    pub(super) fn texts(&mut self) -> [Option<&mut String>; 3] {
        [self.policy.as_mut(), self.boundary.as_mut(), self.trust.as_mut()]
    }

    fn fault(&self, spec: &Spec) -> Option<Fault> {
        let name = &self.name;
        let legal = |text: &str| {
            (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
        };
        for text in [Some(name), self.managed_policy.as_ref(), self.group.as_ref()].into_iter().flatten() {
            if !legal(text) {
                let message = format!("\"{text}\" is no name in IAM: write 1 to 64 letters, digits and +=,.@_-");
                return Some(("application", message));
            }
        }
        let roles = spec.account.iter().flat_map(|account| &account.roles).map(|role| role.name.as_str());
        let taken = [spec.member_role.name.as_str(), &spec.automation_role.name, shipped::CALLER_NAME, "admin"];
        let taken = taken.into_iter().chain(["OrganizationAccountAccessRole"]).chain(roles);
        if taken.into_iter().any(|other| other == name) {
            return Some((
                "application",
                format!("the application {name} has the name of another identity: write another"),
            ));
        }
        if self.group.is_some() && self.kind == ApplicationKind::Role {
            return Some((
                "group",
                format!("the application {name} is a role, and roles are in no groups: write kind = \"user\""),
            ));
        }
        if self.trust.is_some() && self.kind == ApplicationKind::User {
            return Some((
                "trust",
                format!("the application {name} is a user, which cannot be assumed: leave trust out"),
            ));
        }
        if self.group.is_some() && self.managed_policy.is_some() {
            return Some((
                "group",
                format!("the policy of {name} is a group's or a managed one: write one of the two"),
            ));
        }
        if (self.group.is_some() || self.managed_policy.is_some()) && self.policy.is_none() {
            return Some(("application", format!("the application {name} has no policy to name: write policy")));
        }
        if self.writes_every_ms > 0 && self.buckets.is_empty() {
            return Some((
                "writes_every_ms",
                format!("the application {name} has nothing to write into: write buckets = [\"…\"]"),
            ));
        }
        for (key, kind, text) in [
            ("policy", Kind::Identity, &self.policy),
            ("boundary", Kind::Identity, &self.boundary),
            ("trust", Kind::Trust, &self.trust),
        ] {
            let Some(text) = text else { continue };
            // Any account will do for a check.
            let text = text.replace("MEMBER-ACCOUNT", "111111111111").replace("SECURITY-ACCOUNT", "111122223333");
            if let Err(reason) = Policy::load(kind, &text) {
                return Some((key, format!("the {key} of the application {name} does not load: {reason}")));
            }
        }
        None
    }
}

impl Spec {
    pub(super) fn application_fault(&self) -> Option<Fault> {
        let mut names = BTreeSet::new();
        for application in &self.application {
            if !names.insert(&application.name) {
                let message = format!("two applications are named \"{}\": write another name", application.name);
                return Some(("application", message));
            }
            if let Some(fault) = application.fault(self) {
                return Some(fault);
            }
        }
        if self.application.iter().all(|application| application.accounts.named().is_empty()) {
            return None;
        }
        let organization = generate::organization(self);
        for application in &self.application {
            let there = |name: &&String| {
                organization.accounts.iter().any(|account| account.id == **name || account.name == **name)
            };
            if let Some(name) = application.accounts.named().iter().find(|name| !there(name)) {
                let message = format!(
                    "the application {} is in \"{name}\", which is not there: write \"all\", or names or ids of accounts",
                    application.name
                );
                return Some(("accounts", message));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_a_role_everywhere_unless_it_says_otherwise() {
        let spec = Spec::from_toml("[[application]]\nname = \"app\"\n", "x").unwrap();
        let application = &spec.application[0];
        assert!(application.accounts.takes("1", "any") && application.kind == ApplicationKind::Role);
        assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap(), "x").unwrap(), spec);
    }

    #[test]
    fn what_cannot_be_is_said_with_what_to_write() {
        let error =
            |text: &str| Spec::from_toml(&format!("[[application]]\n{text}"), "my.toml").unwrap_err().to_string();
        let policy =
            r#"policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'"#;
        assert!(error("name = \"an app\"").contains("no name in IAM"));
        assert!(error("name = \"orgseal-member\"").contains("the name of another identity"));
        assert!(error("name = \"a\"\naccounts = [\"moon\"]").starts_with("my.toml:3: "));
        assert!(error("name = \"a\"\nwrites_every_ms = 5").contains("nothing to write into"));
        assert!(error("name = \"a\"\npolicy = '{}'").contains("the policy of the application a does not load"));
        assert!(error(&format!("name = \"a\"\ngroup = \"g\"\n{policy}")).contains("write kind = \"user\""));
        assert!(error("name = \"a\"\nkind = \"user\"\ngroup = \"g\"").contains("write policy"));
        assert!(error("name = \"a\"\n[[application]]\nname = \"a\"").contains("two applications"));
    }
}
