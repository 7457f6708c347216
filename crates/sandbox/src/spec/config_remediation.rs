//! AWS Config's automatic remediation of unsealed buckets, as the AWS article sets it up in an account.

use serde::{Deserialize, Serialize};

use super::Spec;
use super::check::Fault;
use crate::generate;

/// The managed rule S3_DEFAULT_ENCRYPTION_KMS with a remediation that starts the document that seals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigRemediationSpec {
    /// Where: `"all"`, or names and ids of accounts.
    pub accounts: AccountChoice,
    /// In which Regions; in all of them when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// The rule's name.
    pub rule: String,
    /// Whether it starts by itself.
    pub automatic: bool,
    /// Whether the rule asks for the central key (`kmsKeyArns`), not for any KMS key.
    pub central_key_only: bool,
    /// The document to start, by name or ARN; the one that seals when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// `MaximumAutomaticAttempts`, 1 to 25.
    pub attempts: i64,
    /// `RetryAttemptSeconds`, at speed 1.
    pub retry_seconds: i64,
    /// Buckets with a remediation exception.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}

impl Default for ConfigRemediationSpec {
    fn default() -> Self {
        ConfigRemediationSpec {
            accounts: AccountChoice::All(All::All),
            regions: Vec::new(),
            rule: "s3-default-encryption-kms".into(),
            automatic: true,
            central_key_only: false,
            document: None,
            attempts: 5,
            retry_seconds: 60,
            exceptions: Vec::new(),
        }
    }
}

/// All accounts, or some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "write \"all\", or a list of names and ids of accounts such as [\"alpha\"]")]
pub enum AccountChoice {
    /// `"all"`
    All(All),
    /// By name or id.
    Named(Vec<String>),
}

/// The word `"all"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// Each one.
    All,
}

impl AccountChoice {
    pub(crate) fn takes(&self, id: &str, name: &str) -> bool {
        match self {
            AccountChoice::All(All::All) => true,
            AccountChoice::Named(named) => named.iter().any(|one| one == id || one == name),
        }
    }

    pub(crate) fn named(&self) -> &[String] {
        match self {
            AccountChoice::All(All::All) => &[],
            AccountChoice::Named(named) => named,
        }
    }
}

impl Spec {
    pub(super) fn config_remediation_fault(&self) -> Option<Fault> {
        let wanted = |spec: &ConfigRemediationSpec| !spec.accounts.named().is_empty();
        let organization = self.config_remediation.iter().any(wanted).then(|| generate::organization(self));
        for spec in &self.config_remediation {
            let there = |name: &String| {
                let mut accounts = organization.iter().flat_map(|organization| &organization.accounts);
                accounts.any(|account| account.id == *name || account.name == *name)
            };
            if let Some(name) = spec.accounts.named().iter().find(|name| !there(name)) {
                let message = format!(
                    "config_remediation is for \"{name}\", which is not there: write \"all\", or names or ids of accounts"
                );
                return Some(("accounts", message));
            }
            if let Some(region) = spec.regions.iter().find(|region| !self.regions.contains(region)) {
                let regions = self.regions.join(", ");
                let message =
                    format!("config_remediation is for {region}, which is not among regions: write some of {regions}");
                return Some(("config_remediation", message));
            }
            if !(1..=25).contains(&spec.attempts) || !(1..=2_678_000).contains(&spec.retry_seconds) {
                let message = "AWS Config takes attempts from 1 to 25 and retry_seconds from 1 to 2678000".into();
                return Some(("config_remediation", message));
            }
            if !(1..=128).contains(&spec.rule.len()) {
                return Some(("rule", "the name of a rule has 1 to 128 characters".into()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_all_accounts_or_for_those_named() {
        let spec = Spec::from_toml("[[config_remediation]]\n", "x").unwrap();
        assert!(spec.config_remediation[0].accounts.takes("1", "any"));
        let text = "[[account]]\nname = \"alpha\"\n[[config_remediation]]\naccounts = [\"alpha\"]\nautomatic = false\n";
        let spec = Spec::from_toml(text, "x").unwrap();
        let accounts = &spec.config_remediation[0].accounts;
        assert!(accounts.takes("1", "alpha") && !accounts.takes("1", "beta"));
        assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap(), "x").unwrap(), spec);
        let spelled = Spec::from_toml("[[config_remediation]]\naccounts = \"all\"\n", "x").unwrap();
        assert_eq!(spelled.config_remediation, [ConfigRemediationSpec::default()]);
    }

    #[test]
    fn what_cannot_be_is_said_with_what_to_write() {
        let error = |text: &str| {
            Spec::from_toml(&format!("[[config_remediation]]\n{text}"), "my.toml").unwrap_err().to_string()
        };
        let said = error("accounts = [\"moon\"]\n");
        assert!(said.starts_with("my.toml:2: ") && said.contains("\"moon\", which is not there"), "{said}");
        assert!(error("accounts = \"some\"\n").contains("write \"all\", or a list"));
        assert!(error("regions = [\"eu-north-1\"]\n").contains("write some of us-east-1"));
        assert!(error("attempts = 26\n").contains("from 1 to 25"));
    }
}
