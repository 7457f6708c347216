//! Whether the automation role is one that Systems Manager can assume in its account.

use super::policy::{Condition, Effect, Policy, Principal, Statement};
use crate::glob::matches;

/// Who runs the document.
const SERVICE: &str = "ssm.amazonaws.com";
const ACTION: &str = "sts:AssumeRole";

/// What a trust policy says of Systems Manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It may assume the role for executions of the account in these Regions.
    Given,
    /// It may not, and why.
    Withheld(String),
    /// It cannot be told, and why.
    Unclear(String),
}

/// Whether a trust policy lets Systems Manager assume the role for executions of an account in a Region.
#[must_use]
pub fn trusts_automation(policy: &str, account: &str, region: &str) -> Trust {
    let policy = match Policy::parse(policy) {
        Ok(policy) => policy,
        Err(why) => return Trust::Unclear(format!("its trust policy could not be evaluated: {why}")),
    };
    let about_us = |statement: &&Statement| {
        let named = statement.named_principals().iter().any(|principal| {
            matches!(principal, Principal::Everyone) || *principal == Principal::Service(SERVICE.to_owned())
        });
        named && statement.covers_action(ACTION)
    };
    let mut withheld = None;
    for statement in policy.statements.iter().filter(about_us) {
        let refuses = statement.conditions.iter().find(|condition| holds(condition, account, region) == Some(false));
        match (statement.effect, refuses) {
            (Effect::Allow, None) => withheld = Some(None),
            (Effect::Allow, Some(condition)) => {
                withheld.get_or_insert(Some(format!(
                    "its trust policy requires {} {}, which executions in this account do not have",
                    condition.key,
                    condition.values.join(" or ")
                )));
            }
            (Effect::Deny, None) => {
                return Trust::Unclear(format!(
                    "{} of its trust policy denies it under some conditions",
                    statement.called()
                ));
            }
            (Effect::Deny, Some(_)) => {}
        }
    }
    match withheld {
        Some(None) => Trust::Given,
        Some(Some(why)) => Trust::Withheld(why),
        None => Trust::Withheld(format!("its trust policy does not name {SERVICE}")),
    }
}

/// Whether a condition holds for an execution of the account; `None` where that cannot be told.
fn holds(condition: &Condition, account: &str, region: &str) -> Option<bool> {
    let (operator, negated) = condition.plain_operator();
    if !operator.starts_with("string") && !operator.starts_with("arn") {
        return None;
    }
    let named = match condition.key.as_str() {
        "aws:sourceaccount" => condition.values.iter().any(|value| matches(value, account)),
        // The execution's id is not known beforehand.
        "aws:sourcearn" => condition.values.iter().any(|value| {
            let parts: Vec<&str> = value.splitn(6, ':').collect();
            let [_, _, service, of_region, of_account, resource] = parts[..] else { return value == "*" };
            matches(service, "ssm")
                && matches(of_region, region)
                && matches(of_account, account)
                && matches(resource, "automation-execution/1234abcd-12ab-34cd-56ef-1234567890ab")
        }),
        _ => return None,
    };
    Some(named != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../config/policies/automation-trust.json");

    fn trust(policy: &str) -> Trust {
        trusts_automation(policy, "444455556666", "eu-west-1")
    }

    #[test]
    fn the_shipped_trust_is_given_to_its_own_account_alone() {
        assert_eq!(trust(&SHIPPED.replace("MEMBER-ACCOUNT", "444455556666")), Trust::Given);
        let Trust::Withheld(why) = trust(&SHIPPED.replace("MEMBER-ACCOUNT", "999999999999")) else { panic!() };
        assert!(why.contains("999999999999"), "{why}");
    }

    #[test]
    fn a_role_for_somebody_else_is_not_trusted() {
        let other = SHIPPED.replace("ssm.amazonaws.com", "ec2.amazonaws.com");
        assert!(matches!(trust(&other), Trust::Withheld(_)));
        let denied = SHIPPED.replace("MEMBER-ACCOUNT", "444455556666").replace("\"Allow\"", "\"Deny\"");
        assert!(matches!(trust(&denied), Trust::Unclear(_)));
        assert!(matches!(trust("no JSON"), Trust::Unclear(_)));
    }

    #[test]
    fn a_trust_bound_to_another_region_is_withheld() {
        let bound =
            SHIPPED.replace("MEMBER-ACCOUNT", "444455556666").replace("arn:aws:ssm:*:", "arn:aws:ssm:us-east-1:");
        assert!(matches!(trust(&bound), Trust::Withheld(_)));
    }
}
