//! Whom a role's trust lets in besides those for whom it is made.

use super::policy::{Condition, Effect, Policy, Principal, Principals, Statement};

/// Ways into a role.
const WAYS: [&str; 3] = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];
const AUTOMATION: &str = "ssm.amazonaws.com";

/// Somebody whom a trust lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// It is nobody of the account or of the security account, or a lock is off: a role like this must not be used.
    pub severe: bool,
    /// In words; no secret is in it.
    pub says: String,
}

impl Weakness {
    fn severe(says: impl Into<String>) -> Weakness {
        Weakness { severe: true, says: says.into() }
    }

    fn slight(says: impl Into<String>) -> Weakness {
        Weakness { severe: false, says: says.into() }
    }
}

/// Whom a member role lets in besides the security account, and whether it asks for the campaign's external ID.
#[must_use]
pub fn member_trust_weaknesses(trust: &str, account: &str, security: &str, external_id: Option<&str>) -> Vec<Weakness> {
    each_grant(trust, |statement, principal, found| {
        let bound = bound_to(statement, security);
        match principal {
            Principal::Aws(_) if principal.account() == Some(security) => {}
            Principal::Everyone | Principal::Aws(_) if bound => {}
            Principal::Aws(name) if principal.account() == Some(account) => {
                found.push(Weakness::slight(format!("its trust lets in {name} of its own account")));
                return;
            }
            other => {
                found.push(Weakness::severe(format!("its trust lets in {}", named(other))));
                return;
            }
        }
        if let Some(wanted) = external_id {
            let asks = statement.conditions.iter().any(|condition| {
                condition.key == "sts:externalid" && is_exact(condition) && condition.values == [wanted]
            });
            if !asks {
                found.push(Weakness::severe("its trust does not ask for the campaign's external ID"));
            }
        }
    })
}

/// Whom an automation role lets in besides Systems Manager for its own account.
#[must_use]
pub fn automation_trust_weaknesses(trust: &str, account: &str) -> Vec<Weakness> {
    each_grant(trust, |statement, principal, found| match principal {
        Principal::Service(service) if service == AUTOMATION => {
            let from_here = statement.conditions.iter().any(|condition| {
                let of_account = |value: &String| match condition.key.as_str() {
                    "aws:sourceaccount" => value == account,
                    "aws:sourcearn" => value.split(':').nth(4) == Some(account),
                    _ => false,
                };
                positive(condition) && !condition.values.is_empty() && condition.values.iter().all(of_account)
            });
            if !from_here {
                found.push(Weakness::slight(
                    "its trust binds Systems Manager to no account: neither aws:SourceAccount nor aws:SourceArn names this one",
                ));
            }
        }
        Principal::Aws(name) if principal.account() == Some(account) => {
            found.push(Weakness::slight(format!("its trust lets in {name} of its own account")));
        }
        other => found.push(Weakness::severe(format!("its trust lets in {}", named(other)))),
    })
}

/// Each principal of each statement that lets somebody in.
fn each_grant(trust: &str, mut look: impl FnMut(&Statement, &Principal, &mut Vec<Weakness>)) -> Vec<Weakness> {
    let policy = match Policy::parse(trust) {
        Ok(policy) => policy,
        Err(why) => return vec![Weakness::slight(format!("its trust is not understood: {why}"))],
    };
    let mut found = Vec::new();
    for statement in policy.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
        if !WAYS.iter().any(|way| statement.covers_action(way)) {
            continue;
        }
        match &statement.principals {
            Principals::Are(principals) => {
                principals.iter().for_each(|principal| look(statement, principal, &mut found));
            }
            Principals::AllBut(_) | Principals::Bearer => {
                found.push(Weakness::severe("its trust lets in all but some (NotPrincipal)"));
            }
        }
    }
    found.dedup();
    found
}

/// Whether a condition lets in principals of one account alone.
fn bound_to(statement: &Statement, account: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        let of_account = |value: &String| match condition.key.as_str() {
            "aws:principalaccount" => value == account,
            "aws:principalarn" => value.split(':').nth(4) == Some(account),
            _ => false,
        };
        positive(condition) && !condition.values.is_empty() && condition.values.iter().all(of_account)
    })
}

/// Whether an operator holds only for a value that is there.
fn positive(condition: &Condition) -> bool {
    let (operator, negated) = condition.plain_operator();
    let set_or_absent = condition.operator.to_ascii_lowercase();
    !negated
        && (operator.starts_with("string") || operator.starts_with("arn"))
        && !set_or_absent.ends_with("ifexists")
        && !set_or_absent.starts_with("forallvalues:")
}

fn is_exact(condition: &Condition) -> bool {
    positive(condition) && condition.plain_operator().0 == "stringequals"
}

fn named(principal: &Principal) -> String {
    match principal {
        Principal::Everyone => "everyone".to_owned(),
        Principal::Aws(name) => name.clone(),
        Principal::Service(name) => format!("the service {name}"),
        Principal::Federated(name) => format!("the identity provider {name}"),
        Principal::CanonicalUser(name) => format!("the canonical user {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = include_str!("../../../../config/policies/member-trust.json");
    const AUTOMATION_TRUST: &str = include_str!("../../../../config/policies/automation-trust.json");

    fn member(trust: &str) -> Vec<Weakness> {
        member_trust_weaknesses(trust, "444455556666", "111122223333", Some("EXTERNAL-ID"))
    }

    #[test]
    fn the_shipped_trusts_are_tight() {
        assert_eq!(member(MEMBER), []);
        let own = AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", "444455556666");
        assert_eq!(automation_trust_weaknesses(&own, "444455556666"), []);
    }

    #[test]
    fn whoever_else_comes_in_is_named() {
        let caller = "arn:aws:iam::111122223333:role/orgseal";
        assert!(MEMBER.contains(caller));
        for (other, severe, part) in [
            ("*", true, "everyone"),
            ("arn:aws:iam::999999999999:root", true, "999999999999"),
            ("arn:aws:iam::444455556666:role/admin", false, "role/admin of its own account"),
        ] {
            let found = member(&MEMBER.replace(caller, other));
            assert_eq!(found.len(), 1, "{other}: {found:?}");
            assert!(found[0].severe == severe && found[0].says.contains(part), "{found:?}");
        }
        let open = MEMBER.replace("EXTERNAL-ID", "other");
        assert!(member(&open)[0].severe && !member(&open)[0].says.contains("other"));
        let if_exists = MEMBER.replace("StringEquals", "StringEqualsIfExists");
        assert!(member(&if_exists)[0].severe);
        let web = r#"{"Statement":{"Effect":"Allow","Principal":{"Federated":"accounts.example.com"},"Action":"sts:AssumeRoleWithWebIdentity"}}"#;
        assert!(member(web)[0].says.contains("accounts.example.com"));
    }

    #[test]
    fn everyone_of_the_security_account_alone_is_nobody_else() {
        let bound = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{
            "StringEquals":{"aws:PrincipalAccount":"111122223333","sts:ExternalId":"EXTERNAL-ID"}}}}"#;
        assert_eq!(member(bound), []);
        let org = bound.replace("aws:PrincipalAccount\":\"111122223333", "aws:PrincipalOrgID\":\"o-a1b2c3d4e5");
        assert!(member(&org)[0].severe);
    }

    #[test]
    fn an_automation_role_is_for_its_account() {
        let found = |trust: &str| automation_trust_weaknesses(trust, "444455556666");
        let bare =
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        assert!(!found(bare)[0].severe);
        let more = bare.replace("\"ssm.amazonaws.com\"", "[\"ssm.amazonaws.com\",\"ec2.amazonaws.com\"]");
        assert!(found(&more).iter().any(|one| one.severe && one.says.contains("ec2.amazonaws.com")));
        let outside = bare.replace("\"Service\":\"ssm.amazonaws.com\"", "\"AWS\":\"999999999999\"");
        assert!(found(&outside)[0].severe);
    }
}
