//! The pieces of the groundwork, as AWS is told of them: read from the same templates that CloudFormation gets.

use std::collections::BTreeMap;

use orgseal_core::aws::make::RoleWanted;
use serde::Deserialize;
use serde_norway::Value;

use crate::cloudformation::{MEMBER_ROLES, SECURITY, filling};
use crate::documents::{self, DocumentError};
use crate::groundwork::Groundwork;
use crate::{json, policies};

/// The organization's conformance pack, and the aggregator of it.
pub(crate) const PACK: &str = "orgseal";
/// How the names of the rules begin that the pack makes.
pub(crate) const PACK_RULE: &str = "s3-default-encryption-kms-conformance-pack-";

/// The policy of whoever runs orgseal.
pub(crate) const CALLERS: &str = "orgseal-caller";

/// A customer managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyWanted {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: String,
    /// JSON.
    pub(crate) text: String,
}

/// A document: its name, and its content.
#[derive(Clone, Debug)]
pub(crate) struct DocumentWanted {
    pub(crate) name: String,
    pub(crate) yaml: &'static str,
    pub(crate) tree: Value,
}

/// AWS Config's aggregator of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AggregatorWanted {
    pub(crate) name: String,
    pub(crate) role_arn: String,
}

/// What one account has, of what is no Region's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) roles: Vec<RoleWanted>,
    pub(crate) policies: Vec<PolicyWanted>,
    pub(crate) aggregator: Option<AggregatorWanted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(tag = "Type", content = "Properties")]
enum Resource {
    #[serde(rename = "AWS::IAM::Role")]
    Role(Role),
    #[serde(rename = "AWS::IAM::ManagedPolicy")]
    Policy(ManagedPolicy),
    #[serde(rename = "AWS::Config::ConfigurationAggregator")]
    Aggregator(Aggregator),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    role_name: String,
    #[serde(default = "slash")]
    path: String,
    description: String,
    #[serde(default = "hour")]
    max_session_duration: i32,
    permissions_boundary: Option<Value>,
    assume_role_policy_document: Value,
    #[serde(default)]
    policies: Vec<Inline>,
    #[serde(default)]
    managed_policy_arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inline {
    policy_name: String,
    policy_document: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicy {
    managed_policy_name: String,
    description: String,
    policy_document: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aggregator {
    configuration_aggregator_name: String,
}

fn slash() -> String {
    "/".to_owned()
}

fn hour() -> i32 {
    3600
}

impl Groundwork {
    /// The roles of a member account, and their boundary where there is one.
    pub(crate) fn member_pieces(&self, account: &str) -> Result<Pieces, DocumentError> {
        self.pieces(account, MEMBER_ROLES)
    }

    /// What the security account has besides.
    pub(crate) fn security_pieces(&self) -> Result<Pieces, DocumentError> {
        let pieces = self.pieces(&self.security, SECURITY)?;
        Ok(match self.file.bootstrap.config_rule {
            true => pieces,
            // The role is the aggregator's.
            false => Pieces { roles: Vec::new(), aggregator: None, ..pieces },
        })
    }

    /// All that an account has, of what is no Region's.
    pub(crate) fn account_pieces(&self, account: &str) -> Result<Pieces, DocumentError> {
        let mut pieces = self.member_pieces(account)?;
        if account == self.security {
            let owned = self.security_pieces()?;
            pieces.roles.extend(owned.roles);
            pieces.policies.extend(owned.policies);
            pieces.aggregator = owned.aggregator;
        }
        Ok(pieces)
    }

    /// The two documents.
    pub(crate) fn documents(&self) -> Result<[DocumentWanted; 2], DocumentError> {
        let choice = &self.file.document;
        let named = |name: &str, shipped: documents::Document| DocumentWanted {
            name: name.to_owned(),
            yaml: shipped.yaml,
            tree: shipped.tree,
        };
        Ok([named(&choice.name, documents::seal()?), named(&choice.restore, documents::restore()?)])
    }

    /// The policy of every central key.
    pub(crate) fn key_policy(&self) -> String {
        policies::one(self, "central-key").map(|policy| json::minified(&policy.tree)).unwrap_or_default()
    }

    fn pieces(&self, account: &str, template: &str) -> Result<Pieces, DocumentError> {
        let there = self.of(account);
        let tree = filling(&there)?.text("description", "").fill(template);
        let template: Template = serde_norway::from_value(tree).map_err(DocumentError::template)?;
        let arn = |kind: &str, name: &str| format!("arn:{}:iam::{account}:{kind}/{name}", self.partition);
        let boundary = template.resources.get("Boundary").and_then(|resource| match resource {
            Resource::Policy(policy) => Some(arn("policy", &policy.managed_policy_name)),
            _ => None,
        });
        let mut pieces = Pieces::default();
        for resource in template.resources.into_values() {
            match resource {
                Resource::Role(role) => pieces.roles.push(RoleWanted {
                    trust: json::minified(&role.assume_role_policy_document),
                    inline: role
                        .policies
                        .into_iter()
                        .map(|policy| (policy.policy_name, json::minified(&policy.policy_document)))
                        .collect(),
                    attached: role.managed_policy_arns,
                    boundary: role.permissions_boundary.and_then(|_| boundary.clone()),
                    name: role.role_name,
                    path: role.path,
                    description: role.description,
                    max_session: role.max_session_duration,
                }),
                Resource::Policy(policy) => pieces.policies.push(PolicyWanted {
                    arn: arn("policy", &policy.managed_policy_name),
                    text: json::minified(&policy.policy_document),
                    name: policy.managed_policy_name,
                    description: policy.description,
                }),
                Resource::Aggregator(aggregator) => {
                    pieces.aggregator = Some(AggregatorWanted {
                        name: aggregator.configuration_aggregator_name,
                        role_arn: String::new(),
                    });
                }
            }
        }
        // The aggregator's role is the only one of its template.
        if let (Some(aggregator), [role]) = (&mut pieces.aggregator, pieces.roles.as_slice()) {
            aggregator.role_arn = arn("role", &role.name);
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orgseal_core::config::load;

    const CAMPAIGN: &str = r#"
[organization]
id = "o-a1b2c3d4e5"
[member_role]
name = "orgseal-member"
path = "/sec/"
external_id = "a-secret"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
[document]
name = "Seal"
[automation_role]
name = "orgseal-automation"
"#;

    fn groundwork(more: &str) -> Groundwork {
        let text = format!("{CAMPAIGN}{more}");
        Groundwork::new(&load(&text, "c.toml", &[]).unwrap().campaign).unwrap()
    }

    #[test]
    fn the_roles_of_an_account_are_those_of_the_template() {
        let pieces = groundwork("").member_pieces("222233334444").unwrap();
        let names: Vec<&str> = pieces.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["orgseal-audit", "orgseal-automation", "orgseal-member"]);
        let member = &pieces.roles[2];
        assert_eq!((member.path.as_str(), member.max_session, &member.boundary), ("/sec/", 3600, &None));
        assert!(member.trust.contains("a-secret") && member.inline[0].1.contains("StartAutomationExecution"));
        let all = format!("{pieces:?}");
        assert!(!all.contains("@") && !all.contains("${"), "{all}");
        assert!(pieces.roles[1].trust.contains("222233334444"));
    }

    #[test]
    fn both_member_roles_have_sessions_as_long_as_the_campaign_file_says() {
        let text = "session_duration = 7200\n[central_key]";
        let file = CAMPAIGN.replace("[central_key]", text);
        let groundwork = Groundwork::new(&load(&file, "c.toml", &[]).unwrap().campaign).unwrap();
        let pieces = groundwork.member_pieces("222233334444").unwrap();
        let of = |name: &str| pieces.roles.iter().find(|role| role.name == name).unwrap().max_session;
        assert_eq!((of("orgseal-audit"), of("orgseal-member"), of("orgseal-automation")), (7200, 7200, 3600));
    }

    #[test]
    fn a_boundary_is_on_every_role() {
        let pieces = groundwork("[bootstrap]\npermissions_boundary = true").member_pieces("222233334444").unwrap();
        assert_eq!(pieces.policies.len(), 1);
        let arn = "arn:aws:iam::222233334444:policy/orgseal-boundary";
        assert!(pieces.roles.iter().all(|role| role.boundary.as_deref() == Some(arn)), "{pieces:?}");
    }

    #[test]
    fn the_security_account_has_its_own() {
        let pieces = groundwork("").security_pieces().unwrap();
        assert_eq!(pieces.policies[0].arn, "arn:aws:iam::111122223333:policy/orgseal-caller");
        let aggregator = pieces.aggregator.unwrap();
        assert_eq!(aggregator.role_arn, "arn:aws:iam::111122223333:role/orgseal-config-aggregator");
        let bare = groundwork("[bootstrap]\nconfig_rule = false").security_pieces().unwrap();
        assert!(bare.roles.is_empty() && bare.aggregator.is_none() && bare.policies.len() == 1);
        assert!(groundwork("").key_policy().contains("o-a1b2c3d4e5"));
    }
}
