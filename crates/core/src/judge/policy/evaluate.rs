//! What policies say to a request, in three values. An explicit deny wins; what is not understood is never a yes, and where it
//! may deny, not one either.
//!
//! Not seen here: service and resource control policies (`control`), session policies, VPC endpoint policies. They only take away.

use std::sync::Arc;

use super::{Answer, Coverage, Effect, Known, NotUnderstood, Policy, Principal, Principals, Request, Statement, Text};
use crate::model::Identity;

/// A policy that was read, or why it is not understood. Many principals share one.
pub type Parsed = Arc<Result<Policy, NotUnderstood>>;

/// A user or role with what its own policies say.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its ARN.
    pub arn: String,
    /// Its unique id.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its policies, those of its groups among them, by name.
    pub policies: Vec<(String, Parsed)>,
    /// Its permissions boundary.
    pub boundary: Option<Parsed>,
    /// Amazon S3 may assume it: to replicate, or for Batch Operations.
    pub is_for_s3: bool,
}

/// Whether something may be done, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Whether.
    pub answer: Answer,
    /// The policy and statement that allow it, or may.
    pub by: Option<String>,
    /// The statement of the bucket's policy by which it may as one of all, where nothing more particular lets it as surely.
    pub as_one_of_all: Option<String>,
}

/// What a bucket or key policy says of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Whether it allows the principal by name.
    pub named: Answer,
    /// Whether it allows everyone, the principal among them.
    pub everyone: Answer,
    /// Whether it leaves it to the principal's account, whose own policies then decide.
    pub delegated: Answer,
    /// Whether it denies.
    pub denied: Answer,
    /// The first statement that allows the principal by name, or may.
    pub by: Option<String>,
    /// The first statement that allows everyone, or may.
    pub by_all: Option<ForAll>,
}

/// A statement that allows everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForAll {
    /// What it is called.
    pub called: String,
    /// Its conditions name principals after all.
    pub tells_who: bool,
}

impl Admission {
    /// Whether the policy lets the principal in at all, its own policies aside.
    #[must_use]
    pub fn admitted(&self) -> Answer {
        self.named.clone().or(self.everyone.clone()).or(self.delegated.clone()).unless(self.denied.clone())
    }
}

/// Whether a principal may use a key, by either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRight {
    /// By the key's policy.
    pub admitted: Answer,
    /// By the principal's own policies, where they count.
    pub own: Answer,
}

impl KeyRight {
    /// By both.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.admitted.clone().and(self.own.clone())
    }
}

/// Why a principal's own policies do not let it do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnRefusal {
    /// None of them allows it.
    NotAllowed,
    /// One allows it, and the permissions boundary does not.
    Boundary,
    /// This statement denies it.
    Denied(String),
}

impl Right {
    /// Either; the way is that of the surer one.
    #[must_use]
    pub fn or(self, other: Right) -> Right {
        match (&self.answer, &other.answer) {
            (Answer::Yes, _) | (_, Answer::No) | (Answer::CannotTell(_), Answer::CannotTell(_)) => self,
            _ => other,
        }
    }
}

impl Holder {
    /// Reads the policies of an identity through `read`, which may share what it read.
    #[must_use]
    pub fn of<'a>(identity: &'a Identity, mut read: impl FnMut(&'a str) -> Parsed) -> Holder {
        Holder {
            arn: identity.arn.clone(),
            id: identity.id.clone(),
            account: identity.arn.split(':').nth(4).unwrap_or_default().to_owned(),
            policies: identity.policies.iter().map(|(name, text)| (name.clone(), read(text))).collect(),
            boundary: identity.boundary.as_deref().map(read),
            is_for_s3: identity.trust.as_deref().is_some_and(|trust| trust.contains("s3.amazonaws.com")),
        }
    }

    /// A request of this principal, whose account is in the organization.
    #[must_use]
    pub fn request(&self, organization: &str, action: &str, resource: Text) -> Request {
        let id = match self.is_role() {
            // A role acts in sessions, whose name follows.
            true => Text::Beginning(format!("{}:", self.id)),
            false => Text::Exactly(self.id.clone()),
        };
        let user_name = match self.is_role() {
            true => Known::Absent,
            false => Known::Values(vec![self.arn.rsplit('/').next().unwrap_or_default().into()]),
        };
        Request::of(&self.arn, &self.account, action, resource)
            .with("aws:username", user_name)
            .with_value("aws:PrincipalOrgID", organization)
            .with_value("aws:PrincipalOrgPaths", Text::Beginning(format!("{organization}/")))
            .with_value("aws:PrincipalType", if self.is_role() { "AssumedRole" } else { "User" })
            .with_value("aws:userid", id)
    }

    /// Whether it is a role, not a user.
    #[must_use]
    pub fn is_role(&self) -> bool {
        self.arn.split(':').nth(5).is_some_and(|resource| resource.starts_with("role/"))
    }

    /// What its own policies allow: one of them, its boundary too, and no deny in either.
    #[must_use]
    pub fn may(&self, request: &Request) -> Right {
        let (mut allowed, mut by) = (Answer::No, None);
        for (name, policy) in &self.policies {
            let (answer, statement) = match policy.as_ref() {
                Ok(policy) => allow(policy, request, &Answer::Yes),
                Err(why) => (Answer::CannotTell(why.to_string()), None),
            };
            if answer.is_possible() && (by.is_none() || answer == Answer::Yes && allowed != Answer::Yes) {
                by = Some(match statement {
                    Some(statement) => format!("policy {name}, {}", statement.called()),
                    None => format!("policy {name}"),
                });
            }
            allowed = allowed.or(answer.because(|why| format!("policy {name}: {why}")));
        }
        if allowed == Answer::No {
            return Right { answer: Answer::No, by: None, as_one_of_all: None };
        }
        let answer = allowed.and(self.bounded(request)).unless(self.denied(request));
        Right { by: by.filter(|_| answer.is_possible()), answer, as_one_of_all: None }
    }

    /// Whether one of its own policies, or its boundary, denies.
    #[must_use]
    pub fn denied(&self, request: &Request) -> Answer {
        let own = self.policies.iter().map(|(name, policy)| (name.as_str(), policy));
        let boundary = self.boundary.iter().map(|policy| ("of its permissions boundary", policy));
        own.chain(boundary).fold(Answer::No, |denied, (name, policy)| {
            denied.or(match policy.as_ref() {
                Ok(policy) => deny(policy, request, |_| Answer::Yes).because(|why| format!("policy {name}: {why}")),
                Err(why) => Answer::CannotTell(format!("policy {name}: {why}")),
            })
        })
    }

    /// The statement of its own policies or its boundary that denies a request for certain, with the policy's name.
    #[must_use]
    pub fn denying_statement(&self, request: &Request) -> Option<String> {
        let own = self.policies.iter().map(|(name, policy)| (format!("policy {name}"), policy));
        let boundary = self.boundary.iter().map(|policy| ("the permissions boundary".to_owned(), policy));
        own.chain(boundary).find_map(|(name, policy)| {
            let policy = (**policy).as_ref().ok()?;
            let denies = |statement: &&Statement| statement.applies(request, &Answer::No) == Answer::Yes;
            policy.denies().find(denies).map(|statement| format!("{name}, {}", statement.called()))
        })
    }

    /// Why its own policies do not let it do what they certainly do not.
    #[must_use]
    pub fn own_refusal(&self, request: &Request) -> OwnRefusal {
        if let Some(by) = self.denying_statement(request) {
            return OwnRefusal::Denied(by);
        }
        let is_allowed = self.policies.iter().filter_map(|(_, policy)| policy.as_ref().as_ref().ok());
        match is_allowed.into_iter().any(|policy| allow(policy, request, &Answer::Yes).0.is_possible()) {
            true => OwnRefusal::Boundary,
            false => OwnRefusal::NotAllowed,
        }
    }

    /// Whether its permissions boundary, if it has one, leaves room for the request.
    fn bounded(&self, request: &Request) -> Answer {
        let Some(boundary) = &self.boundary else { return Answer::Yes };
        match boundary.as_ref() {
            // The objects that the boundary covers need not be those that a policy covers.
            Ok(policy) => allow(policy, request, &Answer::CannotTell("it covers some of the objects".to_owned())).0,
            Err(why) => Answer::CannotTell(why.to_string()),
        }
        .because(|why| format!("its permissions boundary: {why}"))
    }

    /// What a resource policy of its own account allows it directly. A boundary holds a role back, but not a user.
    fn directly(&self, allowed: Answer, request: &Request) -> Answer {
        if allowed == Answer::No {
            return allowed;
        }
        let bounded = if self.is_role() { self.bounded(request) } else { Answer::Yes };
        allowed.and(bounded).unless(self.denied(request))
    }

    /// Whether it may do something to a bucket of its own account: by its own policies, or by the bucket's, which may name it or
    /// let everyone in. What is allowed to everyone needs no policy of one's own, and no boundary holds it back: only a deny does.
    #[must_use]
    pub fn may_in_own_bucket(&self, bucket_policy: Option<&Policy>, request: &Request) -> Right {
        let own = self.may(request);
        let Some(policy) = bucket_policy else { return own };
        let said = policy.admission(request);
        let in_policy = |called: &str| format!("the bucket policy, {called}");
        let named = self.directly(said.named, request);
        let named = Right { by: said.by.as_deref().map(in_policy), answer: named, as_one_of_all: None };
        let all = match said.everyone {
            Answer::No => Answer::No,
            everyone => everyone.unless(self.denied(request)),
        };
        let all = Right {
            by: said.by_all.as_ref().map(|all| in_policy(&all.called)),
            answer: all,
            as_one_of_all: said.by_all.filter(|all| !all.tells_who).map(|all| all.called),
        };
        let right = own.or(named).or(all);
        match right.answer.clone().unless(said.denied) {
            Answer::No => Right { answer: Answer::No, by: None, as_one_of_all: None },
            answer => Right { answer, ..right },
        }
    }

    /// Whether it may use a key. Across accounts both sides must allow it; in the key's own account the key's policy may do so
    /// alone.
    #[must_use]
    pub fn may_use_key(&self, key_policy: &Policy, key_account: &str, request: &Request) -> KeyRight {
        let said = key_policy.admission(request);
        let mut own = self.may(request).answer;
        if self.account == key_account {
            own = own.or(self.directly(said.named.clone().or(said.everyone.clone()), request));
        }
        KeyRight { admitted: said.admitted(), own }
    }
}

impl Policy {
    /// The statement that certainly denies a request; `reaches` says whether a statement is about the principal.
    fn denier(&self, request: &Request, reaches: impl Fn(&Statement) -> Answer) -> Option<&Statement> {
        let partly = Answer::CannotTell(String::new());
        self.denies().find(|statement| statement.applies(request, &partly).and(reaches(statement)) == Answer::Yes)
    }

    /// The statement by which the policy, of a bucket or a key, certainly denies a request.
    #[must_use]
    pub fn denied_by(&self, request: &Request) -> Option<String> {
        self.denier(request, |statement| statement.reach(request).any()).map(Statement::called)
    }

    /// What the policy, of a bucket or a key, says to a request.
    #[must_use]
    pub fn admission(&self, request: &Request) -> Admission {
        let no = || Answer::No;
        let mut said = Admission { named: no(), everyone: no(), delegated: no(), denied: no(), by: None, by_all: None };
        for statement in self.allows().filter(|statement| statement.covers_action(&request.action)) {
            // Most statements are about somebody else, which costs less to see than whether their conditions hold.
            let reach = statement.reach(request);
            if !reach.is_possible() {
                continue;
            }
            let applies = statement.applies(request, &Answer::Yes);
            if applies == Answer::No {
                continue;
            }
            let put =
                |answer: Answer| answer.and(applies.clone()).because(|why| format!("{}: {why}", statement.called()));
            let named = put(reach.named);
            if named.is_possible() && (said.by.is_none() || named == Answer::Yes && said.named != Answer::Yes) {
                said.by = Some(statement.called());
            }
            let everyone = put(reach.everyone);
            if everyone.is_possible()
                && (said.by_all.is_none() || everyone == Answer::Yes && said.everyone != Answer::Yes)
            {
                said.by_all = Some(ForAll { called: statement.called(), tells_who: statement.tells_who() });
            }
            said.named = said.named.or(named);
            said.everyone = said.everyone.or(everyone);
            said.delegated = said.delegated.or(put(reach.account));
        }
        said.denied = deny(self, request, |statement| statement.reach(request).any());
        said
    }
}

/// Whom a statement of a resource policy reaches, of the principal of a request.
struct Reach {
    /// By its ARN, or as the service that it is.
    named: Answer,
    /// As one of all.
    everyone: Answer,
    /// By its account.
    account: Answer,
}

impl Reach {
    fn is_possible(&self) -> bool {
        [&self.named, &self.everyone, &self.account].into_iter().any(Answer::is_possible)
    }

    fn any(self) -> Answer {
        self.named.or(self.everyone).or(self.account)
    }
}

impl Statement {
    /// Whether the statement is about the request's action and resource, and its conditions hold. `partly` is the answer where
    /// it covers some of the resources that the request may mean.
    pub(super) fn applies(&self, request: &Request, partly: &Answer) -> Answer {
        if !self.covers_action(&request.action) {
            return Answer::No;
        }
        let covers = match self.coverage(&request.resource) {
            Ok(Coverage::None) => return Answer::No,
            Ok(Coverage::Some) => partly.clone(),
            Ok(Coverage::All) => Answer::Yes,
            Err(why) => Answer::CannotTell(why.to_string()),
        };
        covers.and(self.conditions_hold(request))
    }

    /// Whether all conditions hold for a request.
    #[must_use]
    pub fn conditions_hold(&self, request: &Request) -> Answer {
        self.conditions.iter().fold(Answer::Yes, |holds, condition| holds.and(condition.holds(request)))
    }

    /// Whether a deny of a bucket policy denies a request.
    #[must_use]
    pub fn denies(&self, request: &Request) -> Answer {
        let applies = self.applies(request, &Answer::CannotTell("it is about some of the buckets".to_owned()));
        if applies.is_possible() { applies.and(self.reaches(request)) } else { applies }
    }

    /// Whether it is about the principal of a request.
    pub(super) fn reaches(&self, request: &Request) -> Answer {
        self.reach(request).any()
    }

    fn reach(&self, request: &Request) -> Reach {
        let mut reach = Reach { named: Answer::No, everyone: Answer::No, account: Answer::No };
        match &self.principals {
            Principals::Are(principals) => {
                for principal in principals {
                    self.reach_of(principal, request, &mut reach);
                }
            }
            Principals::AllBut(but) => {
                let mut left_out = Reach { named: Answer::No, everyone: Answer::No, account: Answer::No };
                for principal in but {
                    self.reach_of(principal, request, &mut left_out);
                }
                reach.everyone = match (left_out.everyone == Answer::Yes, left_out.any()) {
                    (true, _) => Answer::No,
                    (false, Answer::No) => self.all(request),
                    // Whether account, role and session must all be named to be left out is IAM's own riddle.
                    _ => Answer::CannotTell("its NotPrincipal may leave this principal out".to_owned()),
                };
            }
            Principals::Bearer => reach.everyone = Answer::CannotTell("it has no Principal".to_owned()),
        }
        reach
    }

    fn reach_of(&self, principal: &Principal, request: &Request, reach: &mut Reach) {
        let or = |known: &mut Answer, answer: Answer| *known = std::mem::replace(known, Answer::No).or(answer);
        match principal {
            Principal::Everyone => or(&mut reach.everyone, self.all(request)),
            Principal::Service(name) => {
                or(&mut reach.named, Answer::from(request.is_service && *name == request.principal));
            }
            _ if request.is_service => {}
            Principal::Aws(text) if *text == request.principal => or(&mut reach.named, Answer::Yes),
            Principal::Aws(text) if principal.account() == Some(&request.account) => {
                if !text.starts_with("arn:") || text.ends_with(":root") {
                    or(&mut reach.account, Answer::Yes);
                } else if is_session_of(text, &request.principal) {
                    let why = "it names one session of the role".to_owned();
                    or(&mut reach.named, Answer::CannotTell(why));
                }
            }
            // Other accounts, and unique ids: those of principals that were deleted.
            Principal::Aws(_) | Principal::Federated(_) => {}
            Principal::CanonicalUser(_) => {
                or(&mut reach.account, Answer::CannotTell("it names an account by its canonical user id".to_owned()));
            }
        }
    }

    /// Whether a statement for everyone names principals after all, by its conditions.
    fn tells_who(&self) -> bool {
        let names = |key: &str| matches!(key, "aws:principalarn" | "aws:userid" | "aws:username");
        self.conditions.iter().any(|condition| names(&condition.key) && !condition.plain_operator().1)
    }

    /// Whether "everyone" holds the principal. That a deny for all binds services is documented; that an allow for all admits
    /// one is not.
    fn all(&self, request: &Request) -> Answer {
        if request.is_service && self.effect == Effect::Allow {
            return Answer::CannotTell("it allows everyone, and names no service".to_owned());
        }
        Answer::Yes
    }
}

/// Whether an ARN of a session is one of a role's.
fn is_session_of(session: &str, role: &str) -> bool {
    role.contains(":role/") && role_of_session(session).is_some_and(|name| role.rsplit('/').next() == Some(name))
}

/// The name of the role in the ARN of a session: `arn:aws:sts::…:assumed-role/NAME/SESSION`.
pub(super) fn role_of_session(session: &str) -> Option<&str> {
    session.split_once(":assumed-role/")?.1.split('/').next()
}

/// Whether a policy allows a request, whoever makes it, and the statement that does.
pub(super) fn allow<'a>(policy: &'a Policy, request: &Request, partly: &Answer) -> (Answer, Option<&'a Statement>) {
    let mut found = (Answer::No, None);
    for statement in policy.allows() {
        let applies = statement.applies(request, partly).because(|why| format!("{}: {why}", statement.called()));
        if applies == Answer::Yes {
            return (Answer::Yes, Some(statement));
        }
        if applies.is_possible() && found.1.is_none() {
            found = (applies, Some(statement));
        }
    }
    found
}

/// Whether a policy denies a request; `reaches` says whether a statement is about the principal.
fn deny(policy: &Policy, request: &Request, reaches: impl Fn(&Statement) -> Answer) -> Answer {
    let partly = Answer::CannotTell("it denies some of the objects".to_owned());
    policy.denies().fold(Answer::No, |denied, statement| {
        if denied == Answer::Yes {
            return denied;
        }
        let applies = statement.applies(request, &partly);
        let applies = if applies.is_possible() { applies.and(reaches(statement)) } else { applies };
        denied.or(applies.because(|why| format!("{} may deny: {why}", statement.called())))
    })
}
