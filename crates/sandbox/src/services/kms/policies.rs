//! Key policies: GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and what KMS checks before it takes one.

use serde_json::{Value, json};

use super::list::page;
use super::{flag, key_id, own_key};
use crate::authorize::{Ask, authorize};
use crate::journal::Entry;
use crate::policy::principal::Named;
use crate::policy::{Kind, Policy};
use crate::services::resource_policy::{statements, texts};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::session::Caller;

/// The quota; the model's 131,072 is the length of the text on the wire.
const LARGEST_POLICY: usize = 32 * 1024;

/// A policy that a request brings along, and whether its lockout check is left out.
pub(super) struct Draft {
    text: String,
    bypass: bool,
}

/// `Policy` and `BypassPolicyLockoutSafetyCheck` of an input.
pub(super) fn draft(input: &mut Input) -> Result<Option<Draft>, AwsError> {
    let bypass = flag(input, "BypassPolicyLockoutSafetyCheck")?;
    let Some(text) = input.text("Policy")? else { return Ok(None) };
    let legal = |c: char| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{ff}');
    if text.is_empty() || !text.chars().all(legal) {
        let pattern = "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+";
        return Err(AwsError::validation("policy", &text, pattern));
    }
    Ok(Some(Draft { text, bypass }))
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::client("MalformedPolicyDocumentException", message)
}

impl Draft {
    /// The text, when KMS would take it for this key.
    pub(super) fn checked(self, world: &World, caller: &Caller, region: &str, arn: &str) -> Result<String, AwsError> {
        if self.text.chars().count() > LARGEST_POLICY {
            let message = format!("The key policy is larger than {LARGEST_POLICY} characters.");
            return Err(AwsError::client("LimitExceededException", message));
        }
        let policy = Policy::load(Kind::Key, &self.text).map_err(malformed)?;
        let own_partition =
            principal_arns(&self.text).all(|arn| arn.split(':').nth(1) == Some(world.spec.partition.name()));
        let named = policy.statements.iter().filter_map(|statement| statement.principals.as_ref());
        if !own_partition || !named.flat_map(|principals| &principals.named).all(|named| exists(world, named)) {
            return Err(malformed("Policy contains a statement with one or more invalid principals."));
        }
        // Whoever puts a policy must be able to put the next one, or the key is lost to everybody.
        let ask = Ask::new("kms:PutKeyPolicy", arn).of(caller.account).in_region(region).key_policy(&policy);
        if !self.bypass && authorize(world, caller, &ask).is_err() {
            return Err(malformed("The new key policy will not allow you to update the key policy in the future."));
        }
        Ok(self.text)
    }
}

/// The ARNs that a policy's principals are named by.
fn principal_arns(policy: &str) -> impl Iterator<Item = String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let named = |statement: &Value| {
        let principal = statement.get("Principal").or_else(|| statement.get("NotPrincipal"));
        let arns = texts(principal.and_then(|kinds| kinds.get("AWS")));
        arns.into_iter().filter(|text| text.starts_with("arn:")).map(String::from).collect::<Vec<_>>()
    };
    statements(&policy).into_iter().flat_map(named).collect::<Vec<_>>().into_iter()
}

/// KMS looks up the users and roles that a policy names. Of accounts outside the organization nothing is known here.
fn exists(world: &World, named: &Named) -> bool {
    match named {
        Named::Role { account, name } => world
            .organization
            .find(account)
            .is_none_or(|account| world.role(account, &world.role_path(account, name)).is_some()),
        Named::Arn(arn) if arn.contains(":user/") => {
            let name = arn.rsplit('/').next().unwrap_or_default();
            let account = arn.split(':').nth(4).and_then(|account| world.organization.find(account));
            account.is_none_or(|account| world.users(account).iter().any(|user| user.name == name))
        }
        _ => true,
    }
}

pub(super) fn put_checked(world: &World, arn: &str, policy: String) -> Result<(), AwsError> {
    world.journal.append(&Entry::KeyPolicy { arn: arn.into(), policy: policy.clone() })?;
    world.key_store.set_policy(arn, &policy);
    Ok(())
}

/// Every key has one policy, `default`.
fn policy_name(input: &mut Input) -> Result<(), AwsError> {
    match input.text("PolicyName")?.as_deref() {
        None | Some("default") => Ok(()),
        Some(_) => Err(AwsError::client("NotFoundException", "No such policy exists")),
    }
}

pub(super) fn get(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    policy_name(input)?;
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:GetKeyPolicy")?;
    Ok(json!({ "Policy": &*world.key_policy(caller.account, &key).text, "PolicyName": "default" }))
}

pub(super) fn put(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    policy_name(input)?;
    let draft = draft(input)?.ok_or_else(|| crate::wire::json::missing("Policy"))?;
    input.finish()?;
    // The policy of an AWS managed key allows this to nobody.
    let key = own_key(world, caller, region, &key_id, "kms:PutKeyPolicy")?;
    let policy = draft.checked(world, caller, &world.spec.regions[region], &key.arn)?;
    put_checked(world, &key.arn, policy)?;
    Ok(json!({}))
}

pub(super) fn list(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    own_key(world, caller, region, &key_id, "kms:ListKeyPolicies")?;
    page(input, 100, vec![json!("default")], "PolicyNames")
}
