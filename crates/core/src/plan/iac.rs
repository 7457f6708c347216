//! `plan --suggest-iac`: what the team that owns a bucket's configuration as code should merge, so that their next deployment
//! does not put the former encryption back.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::judge::{OwnerTags, owner_signs};
use crate::model::{Bucket, EncryptionRule};

/// What a bucket's configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IacTool {
    /// AWS CloudFormation, and what makes templates for it: CDK, SAM, Serverless.
    CloudFormation,
    /// Terraform, OpenTofu.
    Terraform,
}

/// A piece of code for the team that owns a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IacSnippet {
    /// What it is written in.
    pub tool: IacTool,
    /// The CloudFormation stack that owns the bucket.
    pub stack: Option<String>,
    /// The code: YAML or HCL, with comments that say where it goes.
    pub text: String,
}

/// CloudFormation puts these on every bucket that it creates; nobody else can.
const STACK: &str = "aws:cloudformation:stack-name";
const LOGICAL_ID: &str = "aws:cloudformation:logical-id";
/// Stands in a template where the tags do not give the bucket's logical id.
const NO_LOGICAL_ID: &str = "TheBucketsLogicalId";

/// The code that gives a bucket this rule, in the tool that its tags name; `None` where they name none, or where the rule
/// names no algorithm. CloudFormation's own tags count before Terraform's.
#[must_use]
pub fn suggest_iac(
    bucket: &Bucket,
    tags: &BTreeMap<String, String>,
    owners: &OwnerTags,
    rule: &EncryptionRule,
) -> Option<IacSnippet> {
    rule.algorithm.as_ref()?;
    if let Some(stack) = tags.get(STACK) {
        let text = cloudformation(bucket, stack, tags.get(LOGICAL_ID).map(String::as_str), rule);
        return Some(IacSnippet { tool: IacTool::CloudFormation, stack: Some(stack.clone()), text });
    }
    let signs = owner_signs(&bucket.name, Some(tags), owners);
    let is_terraform =
        signs.iter().any(|sign| sign.owner.is_some_and(|owner| owner.code.as_deref() == Some("terraform")));
    is_terraform.then(|| IacSnippet { tool: IacTool::Terraform, stack: None, text: terraform(bucket, rule) })
}

/// `BucketEncryption` of `AWS::S3::Bucket`, with `BlockedEncryptionTypes` as the template reference has it.
fn cloudformation(bucket: &Bucket, stack: &str, logical_id: Option<&str>, rule: &EncryptionRule) -> String {
    // The reference: logical ids are alphanumeric.
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let known = logical_id.filter(is_id);
    let mut text = format!(
        "# Stack {}, {}.\n# Merge BucketEncryption into the bucket's properties, in the template or in the code that makes it.\n",
        one_line(stack),
        place(bucket)
    );
    if known.is_none() {
        text.push_str("# The bucket's tags do not give its logical id: write your own.\n");
    }
    // Quoted, since an id such as "No" or "1e3" is no text to YAML.
    let id = quoted(known.unwrap_or(NO_LOGICAL_ID));
    let _ = write!(
        text,
        "Resources:\n  {id}:\n    Type: \"AWS::S3::Bucket\"\n    Properties:\n      BucketEncryption:\n        \
         ServerSideEncryptionConfiguration:\n          - ServerSideEncryptionByDefault:\n"
    );
    let indent = " ".repeat(14);
    for (name, value) in [("SSEAlgorithm", algorithm(rule)), ("KMSMasterKeyID", rule.key.as_deref())] {
        if let Some(value) = value {
            let _ = writeln!(text, "{indent}{name}: {}", quoted(value));
        }
    }
    // They stand beside ServerSideEncryptionByDefault, behind the list's dash.
    let indent = " ".repeat(12);
    if let Some(on) = rule.bucket_key {
        let _ = writeln!(text, "{indent}BucketKeyEnabled: {on}");
    }
    if let Some(types) = blocked(rule, quoted) {
        let _ = writeln!(text, "{indent}BlockedEncryptionTypes:\n{indent}  EncryptionType: [{types}]");
    }
    text
}

/// `aws_s3_bucket_server_side_encryption_configuration` of the AWS provider.
fn terraform(bucket: &Bucket, rule: &EncryptionRule) -> String {
    let mut text = format!(
        "# For {}.\n# Where this resource is there already, change its rule. Where the bucket's own resource has a\n\
         # server_side_encryption_configuration block (deprecated since AWS provider 4), change that instead.\n",
        place(bucket)
    );
    let _ = write!(
        text,
        "resource \"aws_s3_bucket_server_side_encryption_configuration\" \"{}\" {{\n  bucket = {}\n\n  rule {{\n",
        identifier(&bucket.name),
        quoted_hcl(&bucket.name)
    );
    if let Some(on) = rule.bucket_key {
        let _ = writeln!(text, "    bucket_key_enabled = {on}\n");
    }
    if let Some(types) = blocked(rule, quoted_hcl) {
        let _ = writeln!(text, "    # AWS provider 6.22 or newer.\n    blocked_encryption_types = [{types}]\n");
    }
    text.push_str("    apply_server_side_encryption_by_default {\n");
    let _ = writeln!(text, "      sse_algorithm     = {}", quoted_hcl(algorithm(rule).unwrap_or_default()));
    if let Some(key) = &rule.key {
        let _ = writeln!(text, "      kms_master_key_id = {}", quoted_hcl(key));
    }
    text.push_str("    }\n  }\n}\n");
    text
}

fn algorithm(rule: &EncryptionRule) -> Option<&str> {
    rule.algorithm.as_ref().map(|algorithm| algorithm.as_str())
}

/// The blocked types as the inside of a list; `None` where the rule has none: then what S3 has stays.
fn blocked(rule: &EncryptionRule, quoted: fn(&str) -> String) -> Option<String> {
    let types = rule.blocked.as_ref().filter(|types| !types.is_empty())?;
    Some(types.iter().map(|kind| quoted(kind)).collect::<Vec<_>>().join(", "))
}

fn place(bucket: &Bucket) -> String {
    let Bucket { account, region, name, .. } = bucket;
    one_line(&format!("bucket {name} of account {account} in {region}"))
}

/// Fit for a comment: what would end the line is a blank.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if ends_lines(letter) { ' ' } else { letter }).collect()
}

fn ends_lines(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A text in double quotes, as YAML and HCL both read it.
fn quoted(text: &str) -> String {
    let mut found = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => found.extend(['\\', letter]),
            _ if ends_lines(letter) => {
                let _ = write!(found, "\\u{:04x}", u32::from(letter));
            }
            _ => found.push(letter),
        }
    }
    found.push('"');
    found
}

/// The same for HCL, where `${` and `%{` begin a template.
fn quoted_hcl(text: &str) -> String {
    quoted(text).replace("${", "$${").replace("%{", "%%{")
}

/// A name for a resource: a letter or underscore, then letters, digits, underscores. Dots become two underscores, so that
/// `a.b` and `a-b` stay two.
fn identifier(name: &str) -> String {
    let mut found = String::new();
    for letter in name.chars() {
        match letter {
            '.' => found.push_str("__"),
            _ if letter.is_ascii_alphanumeric() => found.push(letter),
            _ => found.push('_'),
        }
    }
    if !found.starts_with(|first: char| first.is_ascii_alphabetic()) {
        found.insert_str(0, "bucket_");
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Algorithm;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn bucket(name: &str) -> Bucket {
        Bucket { account: "444455556666".into(), name: name.into(), region: "us-east-1".into() }
    }

    fn rule() -> EncryptionRule {
        EncryptionRule {
            algorithm: Some(Algorithm::SseKms),
            key: Some(KEY.into()),
            bucket_key: Some(true),
            blocked: Some(vec!["SSE-C".into()]),
        }
    }

    fn stack(name: &str, logical_id: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(STACK.into(), name.into()), (LOGICAL_ID.into(), logical_id.into())])
    }

    fn yaml(tags: &BTreeMap<String, String>, rule: &EncryptionRule) -> Value {
        let found = suggest_iac(&bucket("payments-data"), tags, &OwnerTags::default(), rule).unwrap();
        assert_eq!(found.tool, IacTool::CloudFormation);
        serde_norway::from_str(&found.text).unwrap()
    }

    #[test]
    fn a_template_gets_its_property() {
        let found =
            suggest_iac(&bucket("payments-data"), &stack("payments", "DataBucket"), &OwnerTags::default(), &rule())
                .unwrap();
        assert_eq!(found.stack.as_deref(), Some("payments"));
        insta::assert_snapshot!(found.text, @r#"
        # Stack payments, bucket payments-data of account 444455556666 in us-east-1.
        # Merge BucketEncryption into the bucket's properties, in the template or in the code that makes it.
        Resources:
          "DataBucket":
            Type: "AWS::S3::Bucket"
            Properties:
              BucketEncryption:
                ServerSideEncryptionConfiguration:
                  - ServerSideEncryptionByDefault:
                      SSEAlgorithm: "aws:kms"
                      KMSMasterKeyID: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
                    BucketKeyEnabled: true
                    BlockedEncryptionTypes:
                      EncryptionType: ["SSE-C"]
        "#);
        let configuration = json!([{
            "ServerSideEncryptionByDefault": { "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY },
            "BucketKeyEnabled": true,
            "BlockedEncryptionTypes": { "EncryptionType": ["SSE-C"] },
        }]);
        assert_eq!(
            yaml(&stack("payments", "DataBucket"), &rule()),
            json!({ "Resources": { "DataBucket": { "Type": "AWS::S3::Bucket", "Properties": {
                "BucketEncryption": { "ServerSideEncryptionConfiguration": configuration }
            }}}})
        );
    }

    #[test]
    fn terraform_gets_its_resource() {
        let tags = BTreeMap::from([("Terraform".into(), "true".into())]);
        let found = suggest_iac(&bucket("payments.data-2"), &tags, &OwnerTags::default(), &rule()).unwrap();
        assert_eq!((found.tool, found.stack), (IacTool::Terraform, None));
        insta::assert_snapshot!(found.text, @r#"
        # For bucket payments.data-2 of account 444455556666 in us-east-1.
        # Where this resource is there already, change its rule. Where the bucket's own resource has a
        # server_side_encryption_configuration block (deprecated since AWS provider 4), change that instead.
        resource "aws_s3_bucket_server_side_encryption_configuration" "payments__data_2" {
          bucket = "payments.data-2"

          rule {
            bucket_key_enabled = true

            # AWS provider 6.22 or newer.
            blocked_encryption_types = ["SSE-C"]

            apply_server_side_encryption_by_default {
              sse_algorithm     = "aws:kms"
              kms_master_key_id = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            }
          }
        }
        "#);
    }

    #[test]
    fn what_the_rule_leaves_out_is_left_out() {
        let bare = EncryptionRule { bucket_key: None, blocked: None, ..rule() };
        let own = OwnerTags { terraform: Some(vec!["tf".into()]), ..OwnerTags::default() };
        for (tags, wanted) in [
            (stack("s", "B"), ["BucketKey", "Blocked"]),
            (BTreeMap::from([("tf".into(), "".into())]), ["bucket_key", "blocked"]),
        ] {
            let text = suggest_iac(&bucket("b"), &tags, &own, &bare).unwrap().text;
            for word in wanted {
                assert!(!text.contains(word), "{text}");
            }
        }
        let none = EncryptionRule { algorithm: None, ..rule() };
        assert_eq!(suggest_iac(&bucket("b"), &stack("s", "B"), &OwnerTags::default(), &none), None);
    }

    #[test]
    fn only_tags_that_say_so_count() {
        for (key, value, counts) in [
            ("team", "terraform", false),
            ("terraform", "false", false),
            ("Managed-By", "Terraform", true),
            ("Managed-By", "OpenTofu", true),
            ("Managed-By", "Pulumi", false),
        ] {
            let tags = BTreeMap::from([(key.into(), value.into())]);
            assert_eq!(
                suggest_iac(&bucket("b"), &tags, &OwnerTags::default(), &rule()).is_some(),
                counts,
                "{key}={value}"
            );
        }
        let mut both = stack("s", "B");
        both.insert("terraform".into(), "true".into());
        let found = suggest_iac(&bucket("b"), &both, &OwnerTags::default(), &rule()).unwrap();
        assert_eq!(found.tool, IacTool::CloudFormation, "nobody but CloudFormation writes its tags");
    }

    #[test]
    fn an_id_that_yaml_reads_as_something_else_stays_a_text() {
        for id in ["No", "null", "1e3", "0x1F", "true"] {
            let tree = yaml(&stack("s", id), &rule());
            assert!(tree["Resources"].get(id).is_some(), "{id}: {tree}");
        }
        for id in ["", "a b", "a: b", "${x}"] {
            let tree = yaml(&stack("s", id), &rule());
            assert!(tree["Resources"].get(NO_LOGICAL_ID).is_some(), "{id}: {tree}");
        }
    }

    #[test]
    fn identifiers_are_safe_and_apart() {
        for (name, wanted) in [
            ("payments-data", "payments_data"),
            ("payments.data", "payments__data"),
            ("2026-logs", "bucket_2026_logs"),
            ("_old", "bucket__old"),
            ("a\"}\nresource", "a___resource"),
        ] {
            assert_eq!(identifier(name), wanted);
        }
        assert_eq!(quoted_hcl("a${b}%{c}\"\\\n\u{2028}"), r#""a$${b}%%{c}\"\\\u000a\u2028""#);
    }

    proptest! {
        /// Whatever stands in names, tags and keys: the YAML parses to exactly the values, and no line of either text but
        /// the code's own is anything but a comment.
        #[test]
        fn nothing_gets_out_of_its_quotes(stack_name in "\\PC*|(?s).{0,20}", key in "(?s).{0,30}", name in "(?s).{0,30}") {
            let rule = EncryptionRule { key: Some(key.clone()), ..rule() };
            let tags = stack(&stack_name, "B");
            let text = suggest_iac(&bucket(&name), &tags, &OwnerTags::default(), &rule).unwrap().text;
            let tree: Value = serde_norway::from_str(&text).unwrap();
            let found = &tree["Resources"]["B"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
            prop_assert_eq!(&found["ServerSideEncryptionByDefault"]["KMSMasterKeyID"], &json!(key));
            let hcl = terraform(&bucket(&name), &rule);
            prop_assert_eq!(hcl.lines().count(), terraform(&bucket("b"), &self::rule()).lines().count());
        }
    }
}
