//! `[bootstrap]`: what the groundwork is made of, beyond what the rest of the file says already.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id, is_iam_name, is_principal_pattern, is_renderable};
use crate::model::is_service_name;

/// What `orgseal bootstrap` makes: names, and who may do what is denied to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapChoice {
    /// The security account: it owns the keys and runs orgseal. Without it: the account of the central keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_account: Option<String>,
    /// The management account. StackSets never reach it, so its stack is a file of its own; without it, none is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_account: Option<String>,
    /// Who runs orgseal in the security account: `role/NAME` or `user/NAME`, with a path where there is one.
    pub caller: String,
    /// The member role that may only read, for audits by people who must not change anything.
    pub audit_role: String,
    /// The central key's alias.
    pub key_alias: String,
    /// ARNs of those who administer the central key. Without any: whoever the security account's own policies allow to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_administrators: Vec<String>,
    /// ARNs, in which `*` may stand, of those who may disable and delete the key, and unseal, when all else fails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<String>,
    /// ARNs, in which `*` may stand, of the pipelines that make buckets by code: the guardrail that keeps the seal lets them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pipelines: Vec<String>,
    /// AWS services that may use the key for buckets of the organization, such as `logging.s3.amazonaws.com`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Accounts for whose resources those services may use the key, where a service sends the account (`aws:SourceAccount`) or the
    /// resource (`aws:SourceArn`). Without any, the key's policy binds such a service by nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Put a permissions boundary on the roles, so that no later policy makes them more than they are.
    pub permissions_boundary: bool,
    /// Have AWS Config's rule and aggregator among what is deployed and compared. Where AWS Config records nothing, `false`.
    pub config_rule: bool,
}

impl Default for BootstrapChoice {
    fn default() -> Self {
        BootstrapChoice {
            security_account: None,
            management_account: None,
            caller: "role/orgseal".to_owned(),
            audit_role: "orgseal-audit".to_owned(),
            key_alias: "alias/orgseal-central".to_owned(),
            key_administrators: Vec::new(),
            break_glass: Vec::new(),
            pipelines: Vec::new(),
            services: Vec::new(),
            service_accounts: Vec::new(),
            permissions_boundary: false,
            config_rule: true,
        }
    }
}

impl BootstrapChoice {
    /// Whether the file says nothing of it: then it is no part of what the file's hash is made of, and roles and documents may be
    /// of somebody else's making.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == BootstrapChoice::default()
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        let mut problem = |name: &str, message: String, advice: &str| {
            found.push(Problem::new(format!("bootstrap.{name}"), message, advice));
        };
        for (name, account) in
            [("security_account", &self.security_account), ("management_account", &self.management_account)]
        {
            if let Some(id) = account.as_ref().filter(|id| !is_account_id(id)) {
                problem(name, format!("`{id}` is not an account id"), "write twelve digits in quotes");
            }
        }
        let named = self.caller.split_once('/').filter(|(kind, _)| ["role", "user"].contains(kind));
        let is_path_and_name = |text: &str| text.rsplit('/').next().is_some_and(is_iam_name) && is_renderable(text);
        if named.is_none_or(|(_, name)| !is_path_and_name(name)) {
            problem("caller", format!("`{}` names no role and no user", self.caller), "write role/NAME or user/NAME");
        }
        if !is_iam_name(&self.audit_role) {
            let message = format!("`{}` is not a role's name", self.audit_role);
            problem("audit_role", message, "write the name alone: 1 to 64 letters, digits and +=,.@_-");
        }
        // KMS: 1 to 256 characters of [a-zA-Z0-9/_-] after `alias/`, and not AWS's own `alias/aws/`.
        let alias = self.key_alias.strip_prefix("alias/").filter(|name| !name.starts_with("aws/"));
        let takes = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        if alias.is_none_or(|name| !(1..=250).contains(&name.len()) || !name.bytes().all(takes)) {
            problem(
                "key_alias",
                format!("`{}` is not a key's alias", self.key_alias),
                "write alias/NAME, but not alias/aws/…",
            );
        }
        let lists = [
            ("key_administrators", &self.key_administrators),
            ("break_glass", &self.break_glass),
            ("pipelines", &self.pipelines),
        ];
        for (name, arns) in lists {
            for (index, arn) in arns.iter().enumerate() {
                if !is_principal_pattern(arn) {
                    let message = format!("`{arn}` is not a principal's ARN");
                    problem(
                        &format!("{name}[{index}]"),
                        message,
                        "write an ARN such as arn:aws:iam::*:role/break-glass",
                    );
                }
            }
        }
        for (index, arn) in self.key_administrators.iter().enumerate().filter(|(_, arn)| arn.contains('*')) {
            let message = format!("`{arn}` is a pattern, and a key policy names its administrators one by one");
            problem(&format!("key_administrators[{index}]"), message, "write the whole ARN");
        }
        for (index, account) in self.service_accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
            let message = format!("`{account}` is not an account id");
            problem(&format!("service_accounts[{index}]"), message, "write twelve digits");
        }
        for (index, service) in self.services.iter().enumerate() {
            if !is_service_name(service) {
                let message = format!("`{service}` is not a service's name");
                problem(&format!("services[{index}]"), message, "write it whole, such as logging.s3.amazonaws.com");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;

    const LEAST: &str = r#"
[member_role]
name = "orgseal-member"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
"#;

    /// They stand inside CloudFormation's Fn::Sub, Terraform's templates and lines of a shell script.
    #[test]
    fn what_a_template_would_replace_is_refused() {
        for hostile in
            ["${AWS::AccountId}", "%{ if true }", "a\\nb", "a\\u001bb", "a\\u202eb", "a\\\"b", "a'b", "a b", "a`b"]
        {
            let arn = format!("arn:aws:iam::111122223333:role/{hostile}");
            for line in [
                format!("[bootstrap]\ncaller = \"role/{hostile}/orgseal\""),
                format!("[bootstrap]\ncaller = \"role/{hostile}\""),
                format!("[bootstrap]\naudit_role = \"{hostile}\""),
                format!("[bootstrap]\nkey_alias = \"alias/{hostile}\""),
                format!("[bootstrap]\nkey_administrators = [\"{arn}\"]"),
                format!("[bootstrap]\nbreak_glass = [\"{arn}\"]"),
                format!("[bootstrap]\npipelines = [\"{arn}\"]"),
                format!("[bootstrap]\nservices = [\"{hostile}.amazonaws.com\"]"),
                format!("[bootstrap]\nservice_accounts = [\"{hostile}\"]"),
                format!("[bootstrap]\nmanagement_account = \"{hostile}\""),
                format!("[organization]\nid = \"o-{hostile}aaaaaaaaaa\""),
            ] {
                load(&format!("{LEAST}{line}\n"), "c.toml", &[]).expect_err(&line);
            }
            for (from, to) in [
                ("name = \"orgseal-member\"", format!("name = \"orgseal-member\"\npath = \"/{hostile}/\"")),
                ("name = \"orgseal-automation\"", format!("name = \"orgseal-automation\"\npath = \"/{hostile}/\"")),
                ("orgseal-member", hostile.to_owned()),
                ("EnableS3BucketEncryptionWithKMS", hostile.to_owned()),
                ("EnableS3BucketEncryptionWithKMS\"", format!("EnableIt\"\nowner = \"{hostile}\"")),
                ("key/abc", format!("key/{hostile}")),
                ("us-east-1 = \"arn:aws:kms:us-east-1", format!("multi_region_key = \"arn:aws:kms:{hostile}")),
            ] {
                load(&LEAST.replace(from, &to), "c.toml", &[]).expect_err(&to);
            }
        }
    }

    #[test]
    fn a_document_is_not_called_like_an_option() {
        let shown = load(&LEAST.replace("EnableS3Bucket", "-EnableS3Bucket"), "c.toml", &[]).unwrap_err().to_string();
        assert!(shown.contains("is not a document's name") && shown.contains("no hyphen first"), "{shown}");
        let restore = LEAST.replace("[automation_role]", "restore = \"--version\"\n[automation_role]");
        assert!(
            load(&restore, "c.toml", &[]).unwrap_err().to_string().contains("`--version` is not a document's name")
        );
    }

    #[test]
    fn what_makes_no_groundwork_is_refused_with_its_line() {
        let text = r#"
[bootstrap]
security_account = "1"
caller = "orgseal"
audit_role = "a b"
key_alias = "alias/aws/s3"
key_administrators = ["arn:aws:iam::111122223333:role/*"]
break_glass = ["*"]
services = ["logging"]
"#;
        let shown = load(&format!("{LEAST}{text}"), "c.toml", &[]).unwrap_err().to_string();
        for part in [
            "`1` is not an account id",
            "`orgseal` names no role and no user",
            "`a b` is not a role's name",
            "`alias/aws/s3` is not a key's alias",
            "names its administrators one by one",
            "`*` is not a principal's ARN",
            "`logging` is not a service's name",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
