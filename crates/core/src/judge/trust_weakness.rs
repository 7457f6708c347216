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

/// What a role's trust is held to.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedTrust<'a> {
    /// The account that the role is in.
    pub account: &'a str,
    /// The security account.
    pub security: &'a str,
    /// The campaign's external ID.
    pub external_id: Option<&'a str>,
    /// Whom `bootstrap.caller` names, by ARN, where the campaign file says what the groundwork is: then it is held to exactly that.
    pub caller: Option<&'a str>,
}

/// Whom a member role lets in besides the security account, and whether it asks for the campaign's external ID.
#[must_use]
pub fn member_trust_weaknesses(trust: &str, expected: &ExpectedTrust<'_>) -> Vec<Weakness> {
    let is_strict = expected.caller.is_some();
    each_grant(trust, |statement, principal, found| {
        match principal {
            Principal::Aws(name) if expected.caller.is_some_and(|caller| name == caller) => {}
            Principal::Aws(name) if principal.account() == Some(expected.security) => {
                let whole = name == expected.security || name.ends_with(":root");
                if is_strict || whole {
                    let says = match whole {
                        true => "its trust policy allows the whole security account".to_owned(),
                        false => format!("its trust policy allows {name}, which is not bootstrap.caller"),
                    };
                    found.push(Weakness { severe: is_strict, says });
                }
            }
            Principal::Everyone | Principal::Aws(_) if bound_to(statement, expected.security, expected.caller) => {}
            other if is_of(other, expected.account) => {
                let says = format!("its trust policy allows {} of its own account", named(other));
                found.push(Weakness { severe: is_strict, says });
                return;
            }
            other => {
                found.push(Weakness::severe(format!("its trust policy allows {}", named(other))));
                return;
            }
        }
        if let Some(wanted) = expected.external_id {
            let asked = statement.conditions.iter().filter(|condition| {
                condition.key == "sts:externalid"
                    && is_exact(condition)
                    && condition.values.iter().any(|id| id == wanted)
            });
            match asked.map(|condition| condition.values.len()).min() {
                Some(1) => {}
                Some(_) => {
                    found.push(Weakness::slight("its trust policy accepts external IDs other than the campaign's"))
                }
                None => found.push(Weakness::severe("its trust policy does not require the campaign's external ID")),
            }
        }
    })
}

/// Whom an automation role lets in besides Systems Manager for its own account.
#[must_use]
pub fn automation_trust_weaknesses(trust: &str, expected: &ExpectedTrust<'_>) -> Vec<Weakness> {
    let is_strict = expected.caller.is_some();
    each_grant(trust, |statement, principal, found| match principal {
        Principal::Service(service) if service == AUTOMATION => {
            let from_here = statement.conditions.iter().any(|condition| {
                let of_account = |value: &String| match condition.key.as_str() {
                    "aws:sourceaccount" => value == expected.account,
                    "aws:sourcearn" => value.split(':').nth(4) == Some(expected.account),
                    _ => false,
                };
                positive(condition) && !condition.values.is_empty() && condition.values.iter().all(of_account)
            });
            if !from_here {
                let says = "its trust policy does not restrict Systems Manager to this account by aws:SourceAccount or \
                            aws:SourceArn";
                found.push(Weakness { severe: is_strict, says: says.to_owned() });
            }
        }
        other if is_of(other, expected.account) => {
            let says = format!("its trust policy allows {} of its own account", named(other));
            found.push(Weakness { severe: is_strict, says });
        }
        other => found.push(Weakness::severe(format!("its trust policy allows {}", named(other)))),
    })
}

/// Whether a principal is of an account: a user, a role, the account itself, or an identity provider in it.
fn is_of(principal: &Principal, account: &str) -> bool {
    match principal {
        Principal::Federated(arn) => arn.split(':').nth(4) == Some(account),
        other => other.account() == Some(account),
    }
}

/// Each principal of each statement that lets somebody in.
fn each_grant(trust: &str, mut look: impl FnMut(&Statement, &Principal, &mut Vec<Weakness>)) -> Vec<Weakness> {
    let policy = match Policy::parse(trust) {
        Ok(policy) => policy,
        Err(why) => return vec![Weakness::slight(format!("its trust policy could not be evaluated: {why}"))],
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
                found.push(Weakness::severe("its trust policy allows all principals except some (NotPrincipal)"));
            }
        }
    }
    found.dedup();
    found
}

/// Whether a condition lets in principals of one account alone, or one of them alone.
fn bound_to(statement: &Statement, account: &str, caller: Option<&str>) -> bool {
    statement.conditions.iter().any(|condition| {
        let of_account = |value: &String| match (condition.key.as_str(), caller) {
            ("aws:principalaccount", None) => value == account,
            ("aws:principalarn", None) => value.split(':').nth(4) == Some(account),
            ("aws:principalarn", Some(caller)) => value == caller,
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

/// Whether an operator takes each of its values as it is written.
fn is_exact(condition: &Condition) -> bool {
    let plain = |value: &String| !value.contains(['*', '?']);
    match condition.plain_operator().0.as_str() {
        "stringequals" => positive(condition),
        "stringlike" => positive(condition) && condition.values.iter().all(plain),
        _ => false,
    }
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

    const HELD: ExpectedTrust<'_> = ExpectedTrust {
        account: "444455556666",
        security: "111122223333",
        external_id: Some("EXTERNAL-ID"),
        caller: None,
    };
    const STRICT: ExpectedTrust<'_> = ExpectedTrust { caller: Some("arn:aws:iam::111122223333:role/orgseal"), ..HELD };

    fn member(trust: &str) -> Vec<Weakness> {
        member_trust_weaknesses(trust, &HELD)
    }

    #[test]
    fn the_shipped_trusts_are_tight() {
        let own = AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", "444455556666");
        for expected in [HELD, STRICT] {
            assert_eq!(member_trust_weaknesses(MEMBER, &expected), []);
            assert_eq!(automation_trust_weaknesses(&own, &expected), []);
        }
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
        assert_eq!(member(&MEMBER.replace("StringEquals", "StringLike")), []);
        let either = MEMBER.replace("\"EXTERNAL-ID\"", "[\"EXTERNAL-ID\", \"older\"]");
        assert!(!member(&either)[0].severe && !member(&either)[0].says.contains("older"));
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
    fn where_the_groundwork_is_known_a_role_is_held_to_it() {
        let caller = "arn:aws:iam::111122223333:role/orgseal";
        for (other, part) in [
            ("arn:aws:iam::111122223333:root", "the whole security account"),
            ("111122223333", "the whole security account"),
            ("arn:aws:iam::111122223333:role/other", "role/other, which is not bootstrap.caller"),
            ("arn:aws:iam::444455556666:root", "of its own account"),
        ] {
            let trust = MEMBER.replace(caller, other);
            let found = member_trust_weaknesses(&trust, &STRICT);
            assert!(found[0].severe && found[0].says.contains(part), "{other}: {found:?}");
            assert!(!member_trust_weaknesses(&trust, &HELD).iter().any(|one| one.severe), "{other}");
        }
        let bare =
            AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", "444455556666").replace("StringEquals", "StringEqualsIfExists");
        let bare = bare.replace("ArnLike", "ArnLikeIfExists");
        assert!(automation_trust_weaknesses(&bare, &STRICT)[0].severe);
        assert!(!automation_trust_weaknesses(&bare, &HELD)[0].severe);
    }

    #[test]
    fn an_automation_role_is_for_its_account() {
        let found = |trust: &str| automation_trust_weaknesses(trust, &HELD);
        let bare =
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        assert!(!found(bare)[0].severe);
        let more = bare.replace("\"ssm.amazonaws.com\"", "[\"ssm.amazonaws.com\",\"ec2.amazonaws.com\"]");
        assert!(found(&more).iter().any(|one| one.severe && one.says.contains("ec2.amazonaws.com")));
        let outside = bare.replace("\"Service\":\"ssm.amazonaws.com\"", "\"AWS\":\"999999999999\"");
        assert!(found(&outside)[0].severe);
    }
}
