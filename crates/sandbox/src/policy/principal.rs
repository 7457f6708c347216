//! Who asks, and whom a `Principal` or `NotPrincipal` element names.

/// A caller as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asker<'a> {
    User {
        account: &'a str,
        arn: &'a str,
    },
    /// A session of a role.
    Session {
        account: &'a str,
        /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`
        arn: &'a str,
        role: &'a str,
    },
    /// `ssm.amazonaws.com` and its like.
    Service(&'a str),
    /// An unsigned request.
    Anonymous,
}

/// How closely a policy names the asker. The order counts: what is granted more closely is limited by less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    No,
    /// Its account only, which leaves the decision to that account's identity policies.
    Account,
    /// The user, the role, the service, or everyone.
    Principal,
    /// The very session: no session policy or boundary limits what it is granted.
    Session,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Everyone,
    Account(Box<str>),
    /// A user or session, by its whole ARN.
    Arn(Box<str>),
    Role {
        account: Box<str>,
        name: Box<str>,
    },
    Service(Box<str>),
    EveryService,
    /// Federated users, canonical ids and unique ids, of which there are none here.
    Nobody,
}

/// The element, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principals {
    pub(crate) negated: bool,
    pub(crate) named: Vec<Named>,
}

impl Named {
    /// # Errors
    /// When IAM would not take it.
    pub(crate) fn read(kind: &str, text: &str) -> Result<Named, String> {
        match kind {
            "AWS" => Named::aws(text),
            "Service" if text == "*" => Ok(Named::EveryService),
            "Service" if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") => {
                Ok(Named::Service(text.into()))
            }
            "Service" => Err(format!("\"{text}\" is not a service principal: write one like \"ssm.amazonaws.com\"")),
            "Federated" | "CanonicalUser" => Ok(Named::Nobody),
            _ => Err(format!("\"{kind}\" is not a kind of principal: write AWS, Service, Federated or CanonicalUser")),
        }
    }

    fn aws(text: &str) -> Result<Named, String> {
        if text == "*" {
            return Ok(Named::Everyone);
        }
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Named::Account(text.into()));
        }
        if text.contains(['*', '?']) {
            return Err(format!("the principal \"{text}\" has a wildcard: only \"*\" alone may stand for everyone"));
        }
        if text.starts_with("AIDA") || text.starts_with("AROA") {
            return Ok(Named::Nobody);
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "iam", "", account, "root"] => Ok(Named::Account(account.into())),
            ["arn", _, "iam", "", account, resource] if resource.starts_with("role/") => {
                Ok(Named::Role { account: account.into(), name: last(resource).into() })
            }
            ["arn", _, "iam", "", _, resource] if resource.starts_with("user/") => Ok(Named::Arn(text.into())),
            ["arn", _, "sts", "", _, resource] if resource.starts_with("assumed-role/") => Ok(Named::Arn(text.into())),
            ["arn", _, "sts", "", _, _] => Ok(Named::Nobody),
            _ => Err(format!(
                "\"{text}\" is not a principal: write \"*\", an account id, or the ARN of an account's root, a user, a role or a session"
            )),
        }
    }

    fn matches(&self, asker: &Asker<'_>) -> Match {
        match (self, asker) {
            (Named::Everyone, _) => Match::Principal,
            (Named::Account(named), Asker::User { account, .. } | Asker::Session { account, .. })
                if **named == **account =>
            {
                Match::Account
            }
            (Named::Arn(named), Asker::User { arn, .. }) if **named == **arn => Match::Principal,
            (Named::Arn(named), Asker::Session { arn, .. }) if **named == **arn => Match::Session,
            (Named::Role { account: of, name }, Asker::Session { account, role, .. })
                if **of == **account && **name == *last(role) =>
            {
                Match::Principal
            }
            (Named::Service(named), Asker::Service(service)) if **named == **service => Match::Principal,
            (Named::EveryService, Asker::Service(_)) => Match::Principal,
            _ => Match::No,
        }
    }
}

/// A role's name is unique in its account whatever its path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Principals {
    pub(crate) fn matches(&self, asker: &Asker<'_>) -> Match {
        let closest = self.named.iter().map(|named| named.matches(asker)).max().unwrap_or(Match::No);
        match (self.negated, closest) {
            (false, closest) => closest,
            (true, Match::No) => Match::Principal,
            (true, _) => Match::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_closely_a_policy_names_who_asks() {
        let session = Asker::Session {
            account: "111111111111",
            arn: "arn:aws:sts::111111111111:assumed-role/app/s1",
            role: "app",
        };
        let user = Asker::User { account: "111111111111", arn: "arn:aws:iam::111111111111:user/ann" };
        let service = Asker::Service("ssm.amazonaws.com");
        for (kind, text, asker, wanted) in [
            ("AWS", "*", &Asker::Anonymous, Match::Principal),
            ("AWS", "*", &session, Match::Principal),
            ("AWS", "111111111111", &session, Match::Account),
            ("AWS", "arn:aws:iam::111111111111:root", &user, Match::Account),
            ("AWS", "arn:aws:iam::222222222222:root", &user, Match::No),
            ("AWS", "arn:aws:iam::111111111111:root", &service, Match::No),
            ("AWS", "arn:aws:iam::111111111111:role/path/app", &session, Match::Principal),
            ("AWS", "arn:aws:iam::222222222222:role/app", &session, Match::No),
            ("AWS", "arn:aws:sts::111111111111:assumed-role/app/s1", &session, Match::Session),
            ("AWS", "arn:aws:sts::111111111111:assumed-role/app/s2", &session, Match::No),
            ("AWS", "arn:aws:iam::111111111111:user/ann", &user, Match::Principal),
            ("Service", "ssm.amazonaws.com", &service, Match::Principal),
            ("Service", "s3.amazonaws.com", &service, Match::No),
            ("Service", "ssm.amazonaws.com", &user, Match::No),
        ] {
            assert_eq!(Named::read(kind, text).unwrap().matches(asker), wanted, "{kind} {text} {asker:?}");
        }
        for (kind, text) in [("AWS", "arn:aws:iam::*:role/app"), ("AWS", "ann"), ("Human", "ann"), ("Service", "ssm")] {
            assert!(Named::read(kind, text).is_err(), "{kind} {text}");
        }
        let others = Principals { negated: true, named: vec![Named::read("AWS", "111111111111").unwrap()] };
        assert_eq!((others.matches(&user), others.matches(&service)), (Match::No, Match::Principal));
    }
}
