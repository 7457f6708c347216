//! Whom the statements of a resource policy let in: services, and principals of other accounts.

use super::Subject;
use super::load_balancer_log_target::ACCOUNTS;
use crate::judge::policy::{Condition, Policy, Principal, Principals, Statement, matches};

/// The services that a statement names: as principals, or as whoever comes with such a service's name.
pub(super) fn services(statement: &Statement) -> Vec<&str> {
    let named = statement.named_principals().iter().filter_map(|principal| match principal {
        Principal::Service(name) => Some(name.as_str()),
        _ => None,
    });
    let by_name = statement
        .conditions
        .iter()
        .filter(|condition| {
            matches!(condition.key.as_str(), "aws:principalservicename" | "aws:principalservicenameslist")
                && !condition.plain_operator().1
        })
        .flat_map(|condition| condition.values.iter().map(String::as_str));
    named.chain(by_name).collect()
}

/// The statements by which a policy lets a service do something; each as evidence for people.
pub(super) fn admissions(policy: &Policy, action: &str, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for statement in policy.allows().filter(|statement| statement.covers_action(action)) {
        for service in services(statement).into_iter().filter(|service| is_meant(service)) {
            found.push(format!("the bucket policy, {}: {service} may {action}", statement.called()));
        }
    }
    found
}

/// Whether a key's policy lets a service use the key for a bucket's account. `None`: under conditions that are not understood
/// here.
pub(super) fn key_admits(policy: &Policy, service: &str, action: &str, at: &Subject<'_>) -> Option<bool> {
    let mut answer = Some(false);
    for statement in policy.allows().filter(|statement| statement.covers_action(action)) {
        if !services(statement).contains(&service) {
            continue;
        }
        if statement.conditions.iter().all(|condition| holds_for_service(condition, service, at)) {
            return Some(true);
        }
        answer = None;
    }
    let denied = policy.denies().any(|statement| statement.covers_action(action) && statement.conditions.is_empty());
    if denied { None } else { answer }
}

/// Whether a condition surely holds when a service works for the bucket's account.
fn holds_for_service(condition: &Condition, service: &str, at: &Subject<'_>) -> bool {
    let own = match condition.key.as_str() {
        "aws:sourceaccount" => at.bucket.account.as_str(),
        "aws:sourceorgid" => at.organization.id.as_str(),
        "aws:principalservicename" => service,
        _ => return false,
    };
    is_equality(condition) && condition.values.iter().any(|value| matches(value, own))
}

/// Whether a condition asks that its key be there and be like one of its values.
fn is_equality(condition: &Condition) -> bool {
    let (plain, negated) = condition.plain_operator();
    let operator = condition.operator.to_ascii_lowercase();
    !negated
        && !operator.ends_with("ifexists")
        && !operator.starts_with("forallvalues:")
        && (plain.starts_with("string") || plain.starts_with("arn"))
}

/// Whom a statement lets in from other accounts than the bucket's own, in words. Principals and accounts that the campaign
/// file takes out are none; nor are services, load balancers and CloudFront's identities, which other guards look at.
pub(super) fn strangers(statement: &Statement, at: &Subject<'_>) -> Vec<String> {
    match &statement.principals {
        Principals::Bearer => Vec::new(),
        Principals::AllBut(_) => vec!["everyone but those it names".to_owned()],
        Principals::Are(principals) => principals.iter().filter_map(|one| stranger(one, statement, at)).collect(),
    }
}

fn stranger(principal: &Principal, statement: &Statement, at: &Subject<'_>) -> Option<String> {
    match principal {
        Principal::Service(_) => None,
        Principal::Everyone if is_bound_to_own_account(statement, at) => None,
        // Whoever comes with a service's name is a service.
        Principal::Everyone if !services(statement).is_empty() => None,
        Principal::Everyone if statement.conditions.is_empty() => Some("everyone".to_owned()),
        Principal::Everyone => {
            let keys: Vec<&str> = statement.conditions.iter().map(|condition| condition.key.as_str()).collect();
            Some(format!("everyone, under conditions on {}", keys.join(", ")))
        }
        // Without an account it is a principal that was deleted, or one of CloudFront's.
        Principal::Aws(arn) => {
            let account = principal.account()?;
            let known = account == at.bucket.account
                || at.terms.trusted_accounts.contains(account)
                || ACCOUNTS.iter().any(|(_, balancers)| *balancers == account)
                || at.terms.ignored_principals.iter().any(|pattern| matches(pattern, arn));
            (!known).then(|| arn.clone())
        }
        Principal::Federated(provider) => Some(format!("whoever signs in through {provider}")),
        Principal::CanonicalUser(id) if is_owner(id, at) => None,
        Principal::CanonicalUser(id) => Some(format!("the canonical user {id}")),
    }
}

/// Whether a canonical user id is the bucket owner's, as the ACL shows it.
pub(super) fn is_owner(id: &str, at: &Subject<'_>) -> bool {
    matches!(&at.evidence.acl, Some(Ok(acl)) if acl.owner == id)
}

/// Whether conditions keep everyone out but principals of the bucket's own account.
fn is_bound_to_own_account(statement: &Statement, at: &Subject<'_>) -> bool {
    let own = &at.bucket.account;
    statement.conditions.iter().any(|condition| {
        is_equality(condition)
            && match condition.key.as_str() {
                "aws:principalaccount" => condition.values.iter().all(|value| value == own),
                "aws:principalarn" => condition.values.iter().all(|arn| account_of(arn) == Some(own.as_str())),
                _ => false,
            }
    })
}

/// The account in an ARN or a pattern of one.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}
