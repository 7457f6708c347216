//! May this caller do this? Every operation asks here, once for each action and resource that IAM's tables list for it:
//!
//! ```text
//! authorize(world, caller, &Ask::new("s3:GetObject", arn).of(owner).guarded_by(policy.as_deref()).key("s3:…", value))?;
//! ```
//!
//! `of` names the account that owns the resource (else the caller's own), `guarded_by` its policy, `key_policy` and `trust`
//! policies without which nobody gets in, `via` the service that asks in the caller's name. The refusal is the service's
//! own error, in AWS's words. A caller is a `&Caller`, `Who::Service("ssm.amazonaws.com")` or `Who::Anonymous`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::policy::evaluate::{Refusal, ResourceKind, Sides, Source, evaluate};
use crate::policy::principal::Asker;
use crate::policy::{Keys, Policy, Question};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::session::Caller;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    Caller(&'a Caller),
    /// A service principal, such as `ssm.amazonaws.com`.
    Service(&'a str),
    /// An unsigned request.
    Anonymous,
}

impl<'a> From<&'a Caller> for Who<'a> {
    fn from(caller: &'a Caller) -> Self {
        Who::Caller(caller)
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    action: &'a str,
    resource: Cow<'a, str>,
    owner: Option<usize>,
    region: Option<&'a str>,
    policy: Option<&'a Policy>,
    kind: ResourceKind,
    via: Option<&'a str>,
    keys: Vec<(String, Cow<'a, str>)>,
}

impl<'a> Ask<'a> {
    /// `action` as IAM writes it, `s3:GetObject`; `resource` an ARN, or `*` for actions that have no resource.
    pub(crate) fn new(action: &'a str, resource: impl Into<Cow<'a, str>>) -> Ask<'a> {
        Ask {
            action,
            resource: resource.into(),
            owner: None,
            region: None,
            policy: None,
            kind: ResourceKind::Plain,
            via: None,
            keys: Vec::new(),
        }
    }

    /// The account that owns the resource; the caller's own when not said.
    pub(crate) fn of(mut self, account: usize) -> Self {
        self.owner = Some(account);
        self
    }

    /// `aws:RequestedRegion`
    pub(crate) fn in_region(mut self, region: &'a str) -> Self {
        self.region = Some(region);
        self
    }

    /// The resource's policy, where it has one: it may grant by itself within the account.
    pub(crate) fn guarded_by(mut self, policy: Option<&'a Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// The key policy.
    pub(crate) fn key_policy(mut self, policy: &'a Policy) -> Self {
        (self.policy, self.kind) = (Some(policy), ResourceKind::Key);
        self
    }

    /// The role's trust policy.
    pub(crate) fn trust(mut self, policy: &'a Policy) -> Self {
        (self.policy, self.kind) = (Some(policy), ResourceKind::Role);
        self
    }

    /// The service that asks in the caller's name, as `kms:ViaService` has it: `s3.eu-west-1.amazonaws.com`.
    pub(crate) fn via(mut self, service: &'a str) -> Self {
        self.via = Some(service);
        self
    }

    /// A condition key of the request; one with several values is given several times.
    pub(crate) fn key(mut self, name: &str, value: impl Into<Cow<'a, str>>) -> Self {
        self.keys.push((name.to_lowercase(), value.into()));
        self
    }
}

/// Refuses what the policies do not allow.
pub(crate) fn authorize<'a>(world: &World, who: impl Into<Who<'a>>, ask: &Ask<'_>) -> Result<(), AwsError> {
    let who = who.into();
    decide(world, who, ask).map_err(|refusal| refused(who, ask, Some(refusal)))
}

/// The decision itself, for who words its refusal otherwise.
pub(crate) fn decide(world: &World, who: Who<'_>, ask: &Ask<'_>) -> Result<(), Refusal> {
    let role;
    let user;
    let mut identity: &[Arc<Policy>] = &[];
    let mut boundary = None;
    let mut session = None;
    let mut scps = Vec::new();
    let asker = match who {
        Who::Service(service) => Asker::Service(service),
        Who::Anonymous => Asker::Anonymous,
        Who::Caller(caller) => {
            scps = world.scps(caller.account);
            let account = world.organization.accounts[caller.account].id.as_str();
            match role_of(caller) {
                Some(name) => {
                    role = world.policies_of_role(caller.account, &world.role_path(caller.account, name));
                    if let Some(role) = &role {
                        identity = &role.identity;
                        boundary = role.boundary.as_deref();
                    }
                    session = caller.session.as_ref().and_then(|session| session.policy.as_deref());
                    Asker::Session { account, arn: &caller.arn, role: name }
                }
                None => {
                    user = world.user_policies(caller);
                    identity = &user.identity;
                    boundary = user.boundary.as_deref();
                    Asker::User { account, arn: &caller.arn }
                }
            }
        }
    };
    let caller_account = match who {
        Who::Caller(caller) => Some(caller.account),
        Who::Service(_) | Who::Anonymous => None,
    };
    let owner = ask.owner.or(caller_account);
    let rcps = match owner {
        Some(owner) if under_rcps(ask.action) => world.rcps(owner),
        _ => Vec::new(),
    };
    let sides = Sides {
        identity,
        boundary,
        session,
        scps: &scps,
        rcps: &rcps,
        resource: ask.policy,
        kind: ask.kind,
        same_account: owner == caller_account,
    };
    let keys = RequestKeys { world, who, ask, owner };
    let action = ask.action.to_ascii_lowercase();
    evaluate(&sides, &Question { action: &action, resource: &ask.resource, asker: &asker, keys: &keys })
}

/// The services whose resources resource control policies bind.
fn under_rcps(action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    ["s3", "sts", "kms", "sqs", "secretsmanager"].contains(&service)
}

/// The role of a session, by its name without path; `None` for a user.
pub(crate) fn role_of(caller: &Caller) -> Option<&str> {
    let (_, rest) = caller.arn.split_once(":assumed-role/")?;
    rest.rsplit_once('/').map(|(role, _)| role)
}

/// The error of a refusal. Without a reason: who is outside an account is not told what is in it.
pub(crate) fn refused(who: Who<'_>, ask: &Ask<'_>, refusal: Option<Refusal>) -> AwsError {
    let service = ask.action.split(':').next().unwrap_or_default();
    let by_s3 = matches!(service, "s3" | "s3express") || ask.via.is_some_and(|via| via.starts_with("s3."));
    let of = |message| match service {
        _ if by_s3 => AwsError::new(403, "AccessDenied", message),
        // PassRole is asked for by the service that a role is passed to, and refused in its form.
        "sts" | "iam" | "cloudformation" if ask.action != "iam:PassRole" => AwsError::new(403, "AccessDenied", message),
        _ => AwsError::client("AccessDeniedException", message),
    };
    let arn = match who {
        Who::Caller(caller) => &*caller.arn,
        Who::Service(service) => service,
        Who::Anonymous => return of("Access Denied".into()),
    };
    let mut message = format!("User: {arn} is not authorized to perform: {}", ask.action);
    match &*ask.resource {
        "*" if by_s3 => {}
        resource if by_s3 => message.push_str(&format!(" on resource: \"{resource}\"")),
        resource => message.push_str(&format!(" on resource: {resource}")),
    }
    if let Some(refusal) = refusal {
        message.push(' ');
        message.push_str(&reason(ask, refusal));
    }
    of(message)
}

/// The kinds of policy as AWS names them (IAM guide, "Troubleshoot access denied error messages").
fn reason(ask: &Ask<'_>, refusal: Refusal) -> String {
    let (article, kind) = match refusal.source {
        Source::Identity => ("an", "identity-based policy"),
        Source::Boundary => ("a", "permissions boundary"),
        Source::Session => ("a", "session policy"),
        Source::Scp => ("a", "service control policy"),
        Source::Rcp => ("a", "resource control policy"),
        Source::Resource if ask.kind == ResourceKind::Role => ("the", "role trust policy"),
        Source::Resource => ("a", "resource-based policy"),
    };
    match refusal.explicit {
        true => format!("with an explicit deny in {article} {kind}"),
        false => format!("because no {kind} allows the {} action", ask.action),
    }
}

/// The condition keys of one request, made when a condition asks for them.
struct RequestKeys<'a> {
    world: &'a World,
    who: Who<'a>,
    ask: &'a Ask<'a>,
    owner: Option<usize>,
}

impl RequestKeys<'_> {
    fn account_id(&self, account: Option<usize>) -> Option<Cow<'_, str>> {
        account.map(|account| self.world.organization.accounts[account].id.as_str().into())
    }

    fn path(&self, account: usize) -> String {
        self.world.organization.ou_path(self.world.organization.accounts[account].ou)
    }

    fn of_caller<'a>(&'a self, caller: &'a Caller, key: &str) -> Option<Cow<'a, str>> {
        let session = caller.session.as_deref();
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            let find = |tags: &[(String, String)]| {
                tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag)).map(|(_, value)| value.clone())
            };
            // A session's own tags come before those of its role.
            let own = session.and_then(|session| find(&session.tags));
            let of_role = || find(&self.world.role_record(caller.account, role_of(caller)?)?.tags);
            return own.or_else(of_role).map(Cow::Owned);
        }
        let role = role_of(caller);
        Some(match key {
            "aws:principalarn" => match role {
                // A session's principal is its role.
                Some(role) => {
                    let account = &self.world.organization.accounts[caller.account].id;
                    let path = self.world.role_path(caller.account, role);
                    self.world.spec.partition.iam_arn(account, format_args!("role/{path}")).into()
                }
                None => (&*caller.arn).into(),
            },
            "aws:principalaccount" | "kms:calleraccount" => return self.account_id(Some(caller.account)),
            "aws:principalorgid" => self.world.organization.id.as_str().into(),
            "aws:principalorgpaths" => self.path(caller.account).into(),
            "aws:principaltype" => if role.is_some() { "AssumedRole" } else { "User" }.into(),
            "aws:userid" => (&*caller.user_id).into(),
            "aws:username" if role.is_none() => caller.arn.rsplit('/').next()?.into(),
            "aws:sourceidentity" => session?.source_identity.as_deref()?.into(),
            _ => return None,
        })
    }

    fn one(&self, key: &str) -> Option<Cow<'_, str>> {
        let about = match self.who {
            Who::Caller(caller) => self.of_caller(caller, key),
            Who::Service(service) if key == "aws:principalservicename" => Some(service.into()),
            Who::Anonymous if key == "aws:principaltype" => Some("Anonymous".into()),
            Who::Service(_) | Who::Anonymous => None,
        };
        about.or_else(|| {
            Some(match key {
                // IAM guide: in "all signed API requests"; anonymous requests do not include it.
                "aws:principalisawsservice" if matches!(self.who, Who::Anonymous) => return None,
                "aws:principalisawsservice" => matches!(self.who, Who::Service(_)).to_string().into(),
                "aws:viaawsservice" => self.ask.via.is_some().to_string().into(),
                "kms:viaservice" if self.ask.action.starts_with("kms:") => self.ask.via?.into(),
                // The endpoint is plain HTTP on loopback; AWS's own, for which it stands, are not.
                "aws:securetransport" => "true".into(),
                "aws:sourceip" if self.ask.via.is_none() => "127.0.0.1".into(),
                "aws:requestedregion" => self.ask.region?.into(),
                "aws:resourceaccount" => return self.account_id(self.owner),
                "s3:resourceaccount" if self.ask.action.starts_with("s3:") => return self.account_id(self.owner),
                "aws:resourceorgid" => self.owner.map(|_| self.world.organization.id.as_str())?.into(),
                "aws:resourceorgpaths" => self.path(self.owner?).into(),
                "aws:currenttime" => crate::wire::iso8601(crate::wire::now_ms()).into(),
                "aws:epochtime" => (crate::wire::now_ms() / 1000).to_string().into(),
                _ => return None,
            })
        })
    }
}

impl Keys for RequestKeys<'_> {
    fn values(&self, key: &str) -> Vec<Cow<'_, str>> {
        let given = self.ask.keys.iter().filter(|(name, _)| name == key);
        let given: Vec<Cow<'_, str>> = given.map(|(_, value)| Cow::Borrowed(&**value)).collect();
        if given.is_empty() { self.one(key).into_iter().collect() } else { given }
    }
}
