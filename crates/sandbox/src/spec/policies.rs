//! The policies of a spec: in place of the generated ones, or on top of them. JSON text, or the path of a file that holds it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::generate;
use crate::policy::store::targets;
use crate::policy::{Kind, Policy};

/// Policies in place of those that are generated from the files in `config/policies`. Each is JSON text or, in a spec
/// that is read from a file, the path of a file beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesSpec {
    /// What the member role may do.
    pub member_role: Option<String>,
    /// Who may assume the member role. EXTERNAL-ID stands for the external ID.
    pub member_trust: Option<String>,
    /// The member role's permissions boundary; it has none otherwise.
    pub member_boundary: Option<String>,
    /// What the automation role may do.
    pub automation_role: Option<String>,
    /// Who may assume the automation role. MEMBER-ACCOUNT stands for the role's own account.
    pub automation_trust: Option<String>,
    /// The automation role's permissions boundary; it has none otherwise.
    pub automation_boundary: Option<String>,
    /// All that the security account's user and role `orgseal` may do.
    pub caller: Option<String>,
}

impl PoliciesSpec {
    fn texts(&mut self) -> [&mut Option<String>; 7] {
        [
            &mut self.member_role,
            &mut self.member_trust,
            &mut self.member_boundary,
            &mut self.automation_role,
            &mut self.automation_trust,
            &mut self.automation_boundary,
            &mut self.caller,
        ]
    }

    pub(super) fn is_default(&self) -> bool {
        *self == PoliciesSpec::default()
    }
}

/// A service control policy or a resource control policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPolicySpec {
    /// Its name, unique among those of its kind.
    pub name: String,
    /// What it is attached to: "root", an OU's name or id, an account's name or id.
    pub targets: Vec<String>,
    /// JSON text or a path.
    pub document: String,
    /// Whether its targets keep FullAWSAccess, which Organizations attaches to everything. False is for allow lists.
    #[serde(default = "super::yes")]
    pub keeps_full_access: bool,
}

/// A further role of an account described by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSpec {
    /// Its name.
    pub name: String,
    /// Who may assume it: JSON text or a path.
    pub trust: String,
    /// What it may do: JSON text or a path; nothing when absent.
    #[serde(default)]
    pub policy: Option<String>,
    /// Its permissions boundary: JSON text or a path.
    #[serde(default)]
    pub boundary: Option<String>,
    /// Its `MaxSessionDuration`.
    #[serde(default = "hour")]
    pub max_session_seconds: u32,
}

fn hour() -> u32 {
    3600
}

impl Spec {
    /// Puts the content of files in place of their paths, which are relative to the spec's own folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn read_policy_files(&mut self, origin: &str) -> Result<(), String> {
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        let mut texts: Vec<&mut String> = self.policies.texts().into_iter().flatten().collect();
        texts.extend(self.central_key.policy.as_mut());
        texts.extend(self.scp.iter_mut().chain(&mut self.rcp).map(|control| &mut control.document));
        for application in &mut self.application {
            texts.extend(application.texts().into_iter().flatten());
        }
        for role in self.account.iter_mut().flat_map(|account| &mut account.roles) {
            texts.push(&mut role.trust);
            texts.extend(role.policy.as_mut());
            texts.extend(role.boundary.as_mut());
        }
        for text in texts {
            if !text.trim_start().starts_with('{') {
                let path = folder.join(&*text);
                *text = std::fs::read_to_string(&path).map_err(|error| {
                    format!("the policy {} cannot be read: {error}. Write its path, or its JSON text", path.display())
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn policies_fault(&self) -> Option<super::check::Fault> {
        let load = |key: &'static str, what: &str, kind, text: &Option<String>| {
            let text = text.as_ref()?;
            Policy::load(kind, text).err().map(|reason| (key, format!("{what} does not load: {reason}")))
        };
        let own = &self.policies;
        for (key, kind, text) in [
            ("member_role", Kind::Identity, &own.member_role),
            ("member_trust", Kind::Trust, &own.member_trust),
            ("member_boundary", Kind::Identity, &own.member_boundary),
            ("automation_role", Kind::Identity, &own.automation_role),
            ("automation_trust", Kind::Trust, &own.automation_trust),
            ("automation_boundary", Kind::Identity, &own.automation_boundary),
            ("caller", Kind::Identity, &own.caller),
            ("policy", Kind::Key, &self.central_key.policy),
        ] {
            if let Some(fault) = load(key, &format!("the policy {key}"), kind, text) {
                return Some(fault);
            }
        }
        for role in self.account.iter().flat_map(|account| &account.roles) {
            for (kind, text) in [
                (Kind::Trust, &Some(role.trust.clone())),
                (Kind::Identity, &role.policy),
                (Kind::Identity, &role.boundary),
            ] {
                if let Some(fault) = load("roles", &format!("a policy of the role {}", role.name), kind, text) {
                    return Some(fault);
                }
            }
        }
        if self.scp.is_empty() && self.rcp.is_empty() {
            return None;
        }
        let organization = generate::organization(self);
        for (key, kind, controls) in [("scp", Kind::Scp, &self.scp), ("rcp", Kind::Rcp, &self.rcp)] {
            for control in controls {
                let what = format!("the {key} {}", control.name);
                if let Some(fault) = load(key, &what, kind, &Some(control.document.clone())) {
                    return Some(fault);
                }
                if let Err(target) = targets(&organization, &control.targets) {
                    return Some((
                        key,
                        format!(
                            "{what} is attached to \"{target}\", which is not there: write \"root\", or the name or id of an OU or account"
                        ),
                    ));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

    #[test]
    fn a_policy_is_text_or_a_file_beside_the_spec() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.json"), ALLOW).unwrap();
        let origin = folder.path().join("spec.toml").display().to_string();
        let spec = Spec::from_toml("[policies]\nmember_role = \"mine.json\"\n", &origin).unwrap();
        assert_eq!(spec.policies.member_role.as_deref(), Some(ALLOW));
        let again = Spec::from_toml(&toml::to_string(&spec).unwrap(), "x").unwrap();
        assert_eq!(again, spec);
        let missing = Spec::from_toml("[policies]\ncaller = \"none.json\"\n", &origin).unwrap_err().to_string();
        assert!(missing.contains("none.json cannot be read"), "{missing}");
    }

    #[test]
    fn what_does_not_load_or_fit_is_said_with_its_line() {
        let error = |text: &str| Spec::from_toml(text, "my.toml").unwrap_err().to_string();
        let said = error(&format!("[policies]\nmember_trust = '{ALLOW}'\n"));
        assert!(said.starts_with("my.toml:2: the policy member_trust does not load: Statement 1: "), "{said}");
        let said = error("[central_key]\npolicy = '{}'\n");
        assert!(said.contains("my.toml:2: ") && said.contains("no Statement"), "{said}");
        let said = error(&format!("[[scp]]\nname = \"a\"\ntargets = [\"Moon\"]\ndocument = '{ALLOW}'\n"));
        assert!(said.contains("the scp a is attached to \"Moon\", which is not there"), "{said}");
    }
}
