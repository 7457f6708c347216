//! A policy as data: statements, principals, actions, resources, conditions. Anything unknown is refused.

use serde_json::{Map, Value};

use super::pattern::{Coverage, Text, coverage, widened};
use crate::glob::matches_ignoring_case;
use crate::unique_json;

/// Why a policy cannot be read with certainty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(pub String);

/// A policy document of any kind: of an identity, of a bucket, of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its statements, in their order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `Sid`, for people.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    /// Whom it is about.
    pub principals: Principals,
    /// `Action` or `NotAction`.
    pub actions: Patterns,
    /// `Resource` or `NotResource`; a trust policy has neither, which stands as `*`.
    pub resources: Patterns,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies.
    Deny,
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// An identity policy: whoever it hangs on.
    Bearer,
    /// `Principal`.
    Are(Vec<Principal>),
    /// `NotPrincipal`.
    AllBut(Vec<Principal>),
}

/// One principal of a resource policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// `*`, or `{"AWS": "*"}`.
    Everyone,
    /// An ARN, an account id, or the unique id of a principal that was deleted.
    Aws(String),
    /// A service, such as `cloudtrail.amazonaws.com`.
    Service(String),
    /// A federated identity provider.
    Federated(String),
    /// An S3 canonical user id.
    CanonicalUser(String),
}

impl Principal {
    /// The account that the principal belongs to, or is; `None` for services and for what does not name one.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        let Principal::Aws(text) = self else { return None };
        let account = match text.strip_prefix("arn:") {
            Some(rest) => rest.split(':').nth(3)?,
            None => text.as_str(),
        };
        (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
    }
}

/// A list of patterns, or all but a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// `NotAction`, `NotResource`.
    pub negated: bool,
    /// As written; `*` and `?` stand for what they do in IAM.
    pub patterns: Vec<String>,
}

/// One operator on one key of a `Condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// As written, such as `ForAnyValue:StringLikeIfExists`.
    pub operator: String,
    /// In lower case: condition keys have no case.
    pub key: String,
    /// Its values, as texts.
    pub values: Vec<String>,
}

impl Condition {
    /// The operator without its set prefix and `IfExists`, in lower case, and whether it is negated.
    #[must_use]
    pub fn plain_operator(&self) -> (String, bool) {
        let plain = self.operator.rsplit(':').next().unwrap_or(&self.operator).to_ascii_lowercase();
        let plain = plain.strip_suffix("ifexists").map(str::to_owned).unwrap_or(plain);
        let negated = plain.contains("not");
        (plain, negated)
    }
}

impl Policy {
    /// Reads a policy's JSON.
    pub fn parse(text: &str) -> Result<Policy, NotUnderstood> {
        if text.is_empty() {
            return Err(not("its document was not returned"));
        }
        let value = unique_json::parse(text).map_err(|error| not(format!("its JSON cannot be read: {error}")))?;
        let Value::Object(mut policy) = value else { return Err(not("it is no JSON object")) };
        policy.remove("Id");
        if let Some(version) = policy.remove("Version")
            && version != "2012-10-17"
            && version != "2008-10-17"
        {
            return Err(not(format!("its Version is {version}")));
        }
        let statements = match policy.remove("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err(not("it has no Statement")),
        };
        if let Some(key) = policy.keys().next() {
            return Err(not(format!("it has an element {key}")));
        }
        Ok(Policy { statements: statements.into_iter().map(Statement::read).collect::<Result<_, _>>()? })
    }

    /// The statements that allow.
    pub fn allows(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Allow)
    }

    /// The statements that deny.
    pub fn denies(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Deny)
    }
}

impl Statement {
    fn read(value: Value) -> Result<Statement, NotUnderstood> {
        let Value::Object(mut statement) = value else { return Err(not("a statement is no JSON object")) };
        let sid = match statement.remove("Sid") {
            Some(Value::String(sid)) if !sid.is_empty() => Some(sid),
            _ => None,
        };
        let effect = match statement.remove("Effect").as_ref().and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(not("a statement has no Effect")),
        };
        let principals = match (statement.remove("Principal"), statement.remove("NotPrincipal")) {
            (Some(are), None) => Principals::Are(principals(are)?),
            (None, Some(but)) => Principals::AllBut(principals(but)?),
            (None, None) => Principals::Bearer,
            (Some(_), Some(_)) => return Err(not("a statement has both Principal and NotPrincipal")),
        };
        let actions = patterns(&mut statement, "Action", "NotAction")?
            .ok_or_else(|| not("a statement has neither Action nor NotAction"))?;
        let resources = patterns(&mut statement, "Resource", "NotResource")?
            .unwrap_or(Patterns { negated: false, patterns: vec!["*".to_owned()] });
        let conditions = match statement.remove("Condition") {
            Some(Value::Object(conditions)) => read_conditions(conditions)?,
            Some(_) => return Err(not("a Condition is no JSON object")),
            None => Vec::new(),
        };
        if let Some(key) = statement.keys().next() {
            return Err(not(format!("a statement has an element {key}")));
        }
        Ok(Statement { sid, effect, principals, actions, resources, conditions })
    }

    /// Whether the statement speaks of an action, such as `s3:PutObject`.
    #[must_use]
    pub fn covers_action(&self, action: &str) -> bool {
        let named = self.actions.patterns.iter().any(|pattern| matches_ignoring_case(pattern, action));
        self.actions.negated != named
    }

    /// Whether the statement speaks of a resource. A policy variable that may decide it makes it uncertain.
    pub fn covers_resource(&self, resource: &str) -> Result<bool, NotUnderstood> {
        Ok(self.coverage(&Text::from(resource))? == Coverage::All)
    }

    /// How much of a resource, or of the objects of a bucket, the statement speaks of.
    pub fn coverage(&self, resource: &Text) -> Result<Coverage, NotUnderstood> {
        let mut named = Coverage::None;
        for pattern in &self.resources.patterns {
            match widened(pattern) {
                None => named = named.max(coverage(pattern, resource)),
                Some(wide) if coverage(&wide, resource) == Coverage::None => {}
                Some(_) => return Err(not(format!("a resource has a policy variable: {pattern}"))),
            }
        }
        Ok(match (self.resources.negated, named) {
            (false, named) => named,
            (true, Coverage::None) => Coverage::All,
            (true, Coverage::Some) => Coverage::Some,
            (true, Coverage::All) => Coverage::None,
        })
    }

    /// The principals that `Principal` names; empty for identity policies and for `NotPrincipal`.
    #[must_use]
    pub fn named_principals(&self) -> &[Principal] {
        match &self.principals {
            Principals::Are(principals) => principals,
            Principals::Bearer | Principals::AllBut(_) => &[],
        }
    }

    /// The statement for people: its Sid, or its place.
    #[must_use]
    pub fn called(&self) -> String {
        match &self.sid {
            Some(sid) => format!("statement {sid}"),
            None => "a statement without Sid".to_owned(),
        }
    }
}

fn not(why: impl Into<String>) -> NotUnderstood {
    NotUnderstood(why.into())
}

fn texts(value: Value, what: &str) -> Result<Vec<String>, NotUnderstood> {
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Ok(text),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            _ => Err(not(format!("{what} holds something else than a text"))),
        })
        .collect()
}

fn patterns(statement: &mut Map<String, Value>, plain: &str, negated: &str) -> Result<Option<Patterns>, NotUnderstood> {
    match (statement.remove(plain), statement.remove(negated)) {
        (Some(value), None) => Ok(Some(Patterns { negated: false, patterns: texts(value, plain)? })),
        (None, Some(value)) => Ok(Some(Patterns { negated: true, patterns: texts(value, negated)? })),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(not(format!("a statement has both {plain} and {negated}"))),
    }
}

fn principals(value: Value) -> Result<Vec<Principal>, NotUnderstood> {
    let kinds = match value {
        Value::String(all) if all == "*" => return Ok(vec![Principal::Everyone]),
        Value::Object(kinds) => kinds,
        other => return Err(not(format!("a Principal is {other}"))),
    };
    let mut found = Vec::new();
    for (kind, value) in kinds {
        for text in texts(value, "Principal")? {
            found.push(match kind.as_str() {
                "AWS" if text == "*" => Principal::Everyone,
                "AWS" => Principal::Aws(text),
                "Service" => Principal::Service(text),
                "Federated" => Principal::Federated(text),
                "CanonicalUser" => Principal::CanonicalUser(text),
                other => return Err(not(format!("a Principal is of kind {other}"))),
            });
        }
    }
    Ok(found)
}

fn read_conditions(operators: Map<String, Value>) -> Result<Vec<Condition>, NotUnderstood> {
    let mut found = Vec::new();
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else { return Err(not(format!("condition {operator} is no JSON object"))) };
        for (key, values) in keys {
            let values = texts(values, &key)?;
            found.push(Condition { operator: operator.clone(), key: key.to_ascii_lowercase(), values });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(statement: &str) -> Result<Statement, NotUnderstood> {
        let policy = Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#))?;
        Ok(policy.statements.into_iter().next().unwrap())
    }

    #[test]
    fn a_single_statement_stands_without_a_list() {
        let statement = one(r#"{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"}"#).unwrap();
        assert_eq!((statement.effect, &statement.principals), (Effect::Allow, &Principals::Bearer));
        assert_eq!(statement.called(), "a statement without Sid");
        assert!(statement.covers_action("s3:PutObject") && !statement.covers_action("kms:Decrypt"));
        assert_eq!(one(r#"[{"Sid":"x","Effect":"Deny","Action":"*"}]"#).unwrap().called(), "statement x");
    }

    #[test]
    fn all_but_an_action_and_all_but_a_resource() {
        let bucket = "arn:aws:s3:::b/*";
        let text = format!(r#"{{"Effect":"Deny","NotAction":["S3:get*"],"NotResource":["{bucket}"]}}"#);
        let statement = one(&text).unwrap();
        assert!(!statement.covers_action("s3:GetObject") && statement.covers_action("kms:Decrypt"));
        let covers = |resource: Text| statement.coverage(&resource).unwrap();
        assert_eq!(covers("arn:aws:s3:::b/k".into()), Coverage::None);
        assert_eq!(covers("arn:aws:s3:::c/k".into()), Coverage::All);
        assert_eq!(covers(Text::Beginning("arn:aws:s3:::".into())), Coverage::Some);
    }

    #[test]
    fn principals_of_each_kind() {
        let statement = one(
            r#"{"Effect":"Deny","Action":"*","NotPrincipal":{"AWS":["111122223333","*"],"Service":"x.amazonaws.com",
                "Federated":"cognito-identity.amazonaws.com","CanonicalUser":"abc"}}"#,
        )
        .unwrap();
        let Principals::AllBut(mut but) = statement.principals.clone() else { panic!("{statement:?}") };
        but.sort();
        let service = Principal::Service("x.amazonaws.com".into());
        let federated = Principal::Federated("cognito-identity.amazonaws.com".into());
        let account = Principal::Aws("111122223333".into());
        assert_eq!(account.account(), Some("111122223333"));
        assert_eq!(but, [Principal::Everyone, account, service, federated, Principal::CanonicalUser("abc".into())]);
        assert!(statement.named_principals().is_empty());
        let everyone = one(r#"{"Effect":"Allow","Action":"*","Principal":"*"}"#).unwrap();
        assert_eq!(everyone.named_principals(), [Principal::Everyone]);
        assert_eq!(Principal::Aws("arn:aws:iam::cloudfront:user/x".into()).account(), None);
        assert_eq!(Principal::Aws("arn:aws-cn:iam::111122223333:root".into()).account(), Some("111122223333"));
        assert_eq!(Principal::Aws("AIDAEXAMPLE".into()).account(), None);
    }

    #[test]
    fn values_of_conditions_are_texts() {
        let statement = one(r#"{"Effect":"Deny","Action":"*","Condition":{"Bool":{"aws:SecureTransport":false},
                "NumericLessThanIfExists":{"s3:TlsVersion":[1.2]}}}"#)
        .unwrap();
        let find = |key: &str| statement.conditions.iter().find(|condition| condition.key == key).unwrap();
        assert_eq!(find("aws:securetransport").values, ["false"]);
        assert_eq!(find("s3:tlsversion").values, ["1.2"]);
        assert_eq!(find("s3:tlsversion").plain_operator(), ("numericlessthan".into(), false));
    }

    #[test]
    fn a_variable_is_uncertain_where_it_decides() {
        let statement = one(
            r#"{"Effect":"Allow","Action":"*","Resource":["arn:aws:s3:::b/${aws:username}/*","arn:aws:s3:::c/*"]}"#,
        )
        .unwrap();
        assert_eq!(statement.covers_resource("arn:aws:s3:::c/k"), Ok(true));
        assert!(statement.covers_resource("arn:aws:s3:::b/x/y").is_err());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for statement in [
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Until":"2030"}"#,
            r#"{"Effect":"Perhaps","Action":"*"}"#,
            r#"{"Effect":"Allow"}"#,
            r#"{"Effect":"Allow","Action":"*","NotAction":"*"}"#,
            r#"{"Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":"*"}"#,
            r#"{"Effect":"Allow","Action":"*","Principal":{"Robot":"x"}}"#,
            r#"{"Effect":"Allow","Action":{"a":1}}"#,
            r#"{"Effect":"Allow","Action":"*","Condition":[]}"#,
            r#"{"Effect":"Allow","Action":"*","Condition":{"Bool":true}}"#,
            r#"["Allow"]"#,
        ] {
            assert!(one(statement).is_err(), "{statement}");
        }
        // Which of the two counts, AWS does not say.
        for twice in [
            r#"{"Statement":[],"Statement":[{"Effect":"Deny","Action":"*"}]}"#,
            r#"{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"*","Condition":{"Bool":{"a:b":"true","a:b":"false"}}}}"#,
        ] {
            let error = Policy::parse(twice).unwrap_err();
            assert!(error.to_string().contains("an object has two members"), "{twice}: {error}");
        }
        for policy in ["", "[]", "{}", r#"{"Statement":[],"More":1}"#, r#"{"Version":"2031-01-01","Statement":[]}"#] {
            assert!(Policy::parse(policy).is_err(), "{policy}");
        }
        assert_eq!(Policy::parse(r#"{"Id":"x","Statement":[]}"#).unwrap().allows().count(), 0);
    }
}
