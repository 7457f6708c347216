//! Service and resource control policies. They allow nothing by themselves: what is asked is what of them stands in the way.

use std::sync::Arc;

use super::evaluate::allow;
use super::{Answer, Parsed, Request, Statement};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlKind {
    /// It bounds what users and roles of an account may do, in whatever account.
    Service,
    /// It bounds what may be done to the resources of an account, by whomever.
    Resource,
}

/// A control policy.
#[derive(Clone, Debug)]
pub struct ControlPolicy {
    /// `p-…`
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it says.
    pub policy: Parsed,
}

/// The policies of one kind that are attached to one root, OU or account.
#[derive(Clone, Debug)]
pub struct Level {
    /// `r-…`, `ou-…` or twelve digits.
    pub target: Arc<str>,
    /// None at all where this kind of policy is not enabled: Organizations lets nobody detach the last one.
    pub policies: Vec<ControlPolicy>,
}

/// What stands in a request's way, or may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hindrance {
    /// Which kind of policy it is.
    pub kind: ControlKind,
    /// What it is attached to.
    pub target: Arc<str>,
    /// The id and the name of the policy; `None` where none of those that are attached there allows the request.
    pub policy: Option<(Arc<str>, Arc<str>)>,
    /// The statement, for people.
    pub statement: Option<String>,
    /// Why it cannot be told whether it denies; `None` where it does for certain.
    pub perhaps: Option<String>,
}

impl Hindrance {
    /// What the policy is attached to, for people.
    #[must_use]
    pub fn attached_to(&self) -> String {
        match &*self.target {
            root if root.starts_with("r-") => format!("root {root}"),
            ou if ou.starts_with("ou-") => format!("OU {ou}"),
            account => format!("account {account}"),
        }
    }
}

/// All that stands in a request's way at the levels above an account, its own among them. Where anything does for certain, what
/// only may is left out.
#[must_use]
pub fn hindrances(kind: ControlKind, levels: &[&Level], request: &Request) -> Vec<Hindrance> {
    let mut found: Vec<Hindrance> = levels.iter().flat_map(|level| at_level(kind, level, request)).collect();
    if found.iter().any(|hindrance| hindrance.perhaps.is_none()) {
        found.retain(|hindrance| hindrance.perhaps.is_none());
    }
    found
}

fn at_level(kind: ControlKind, level: &Level, request: &Request) -> Vec<Hindrance> {
    let mut found = Vec::new();
    let mut allowed = Answer::No;
    let mut put = |policy: Option<&ControlPolicy>, statement: Option<String>, answer: Answer| {
        let perhaps = match answer {
            Answer::No => return,
            Answer::Yes => None,
            Answer::CannotTell(why) => Some(why),
        };
        let policy = policy.map(|policy| (policy.id.clone(), policy.name.clone()));
        found.push(Hindrance { kind, target: level.target.clone(), policy, statement, perhaps });
    };
    for control in &level.policies {
        let policy = match control.policy.as_ref() {
            Ok(policy) => policy,
            Err(why) => {
                let unclear = Answer::CannotTell(format!("it is not understood: {why}"));
                put(Some(control), None, unclear.clone());
                allowed = allowed.or(unclear);
                continue;
            }
        };
        for statement in policy.denies() {
            put(Some(control), Some(statement.called()), denies(kind, statement, request));
        }
        allowed = allowed.or(allow(policy, request, &partly()).0);
    }
    // Without FullAWSAccess beside them, service control policies are a list of what is allowed. Resource control policies
    // cannot be: RCPFullAWSAccess is not to be detached.
    if kind == ControlKind::Service && !level.policies.is_empty() {
        put(None, None, allowed.negated());
    }
    found
}

fn denies(kind: ControlKind, statement: &Statement, request: &Request) -> Answer {
    let applies = statement.applies(request, &partly());
    match kind {
        ControlKind::Resource if applies.is_possible() => applies.and(statement.reaches(request)),
        _ => applies,
    }
}

fn partly() -> Answer {
    Answer::CannotTell("it covers some of the resources".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Known, Policy, Text};
    use super::*;

    const FULL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    const ROLE: &str = "arn:aws:iam::555555555551:role/orgseal-member";

    fn level(target: &str, policies: &[&str]) -> Level {
        let policy = |(number, text): (usize, &&str)| ControlPolicy {
            id: format!("p-{number}").into(),
            name: format!("policy-{number}").into(),
            policy: Arc::new(Policy::parse(text)),
        };
        Level { target: target.into(), policies: policies.iter().enumerate().map(policy).collect() }
    }

    fn put() -> Request {
        Request::of(ROLE, "555555555551", "s3:PutEncryptionConfiguration", Text::Beginning("arn:aws:s3:::".to_owned()))
            .with_value("aws:RequestedRegion", "eu-west-1")
    }

    /// `!` for certain, `?` perhaps; what it is attached to, the policy.
    fn found(kind: ControlKind, levels: &[Level], request: &Request) -> Vec<String> {
        let levels: Vec<&Level> = levels.iter().collect();
        let shown = hindrances(kind, &levels, request).into_iter().map(|found| {
            let mark = if found.perhaps.is_none() { '!' } else { '?' };
            let policy = found.policy.map(|(id, _)| id.to_string()).unwrap_or_else(|| "none".to_owned());
            format!("{mark} {} {policy}", found.target)
        });
        shown.collect()
    }

    fn deny(more: &str) -> String {
        format!(r#"{{"Statement":{{"Sid":"X","Effect":"Deny","Action":"s3:Put*"{more}}}}}"#)
    }

    #[test]
    fn denies_at_each_level_for_certain_or_perhaps() {
        let all = r#","Resource":"*""#;
        let with = |condition: &str| format!(r#"{all},"Condition":{condition}"#);
        for (more, shown) in [
            (all.to_owned(), "! ou-a p-1"),
            (r#","Resource":"arn:aws:s3:::prod-*""#.to_owned(), "? ou-a p-1"),
            (r#","Resource":"arn:aws:sqs:*""#.to_owned(), ""),
            (with(r#"{"StringNotEquals":{"aws:RequestedRegion":["us-east-1"]}}"#), "! ou-a p-1"),
            (with(r#"{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1"]}}"#), ""),
            (with(&format!(r#"{{"ArnNotLike":{{"aws:PrincipalArn":"{ROLE}"}}}}"#)), ""),
            (with(r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}"#), "! ou-a p-1"),
            (with(r#"{"StringEquals":{"aws:PrincipalTag/team":"x"}}"#), "? ou-a p-1"),
        ] {
            let levels = [level("r-1", &[FULL]), level("ou-a", &[FULL, &deny(&more)])];
            assert_eq!(found(ControlKind::Service, &levels, &put()).join(", "), shown, "{more}");
        }
        // What is certain makes what is not idle.
        let unclear = deny(&with(r#"{"StringEquals":{"aws:PrincipalTag/team":"x"}}"#));
        let levels = [level("r-1", &[FULL, &unclear]), level("ou-a", &[FULL, &deny(all)])];
        assert_eq!(found(ControlKind::Service, &levels, &put()), ["! ou-a p-1"]);
    }

    #[test]
    fn a_level_at_which_nothing_allows_it_denies_it() {
        let list = r#"{"Statement":{"Effect":"Allow","Action":["s3:Get*","kms:*"],"Resource":"*"}}"#;
        let on_some = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::team-*"}}"#;
        for (policies, shown) in [
            (vec![list], "! ou-a none"),
            (vec![list, FULL], ""),
            (vec![list, on_some], "? ou-a none"),
            (vec!["{}"], "? ou-a p-0, ? ou-a none"),
            // Not enabled.
            (vec![], ""),
        ] {
            let levels = [level("r-1", &[FULL]), level("ou-a", &policies)];
            assert_eq!(found(ControlKind::Service, &levels, &put()).join(", "), shown, "{policies:?}");
        }
        assert!(found(ControlKind::Resource, &[level("ou-a", &[list])], &put()).is_empty());
    }

    #[test]
    fn a_resource_control_policy_speaks_of_everyone() {
        let denied = |principal: &str| {
            let text = deny(&format!(r#","Resource":"*","Principal":{principal}"#));
            found(ControlKind::Resource, &[level("ou-a", &[&text])], &put()).join("")
        };
        assert_eq!(denied(r#""*""#), "! ou-a p-0");
        assert_eq!(denied(r#"{"AWS":"*"}"#), "! ou-a p-0");
        assert_eq!(denied(r#"{"AWS":"999999999999"}"#), "");
        // Of one's own organization, as those which keep strangers out say.
        let outside =
            r#","Resource":"*","Principal":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-a"}}"#;
        let levels = [level("r-1", &[&deny(outside)])];
        assert_eq!(found(ControlKind::Resource, &levels, &put().with_value("aws:PrincipalOrgID", "o-a")), [""; 0]);
        assert_eq!(
            found(ControlKind::Resource, &levels, &put().with("aws:PrincipalOrgID", Known::Unknown)),
            ["? r-1 p-0"]
        );
    }
}
