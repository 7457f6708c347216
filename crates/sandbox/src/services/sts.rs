//! STS: AssumeRole and GetCallerIdentity, with the trust, duration and shape rules of the service model.
//! Whether it may be assumed is asked in `authorize`.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::authorize::{Ask, decide, refused};
use crate::policy::evaluate::Source;
use crate::policy::store::bare;
use crate::policy::{Kind, Policy};
use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::wire::{escape, iso8601, now_ms};
use crate::world::World;
use crate::world::session::{Caller, CallerKind, SessionContext};

pub(crate) const OPERATIONS: &[&str] = &["AssumeRole", "GetCallerIdentity"];

/// The content of the action's `…Result` element.
pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<String, AwsError> {
    let form = Form::read(request);
    if operation == UNKNOWN {
        return Err(AwsError::client(
            "InvalidAction",
            format!("Could not find operation {} for version 2011-06-15", form.get("Action").unwrap_or("(none)")),
        ));
    }
    if form.get("Version") != Some("2011-06-15") {
        return Err(AwsError::client("InvalidAction", "Could not find the version: write 2011-06-15"));
    }
    if operation == "GetCallerIdentity" {
        return Ok(format!(
            "<Arn>{}</Arn>\n<UserId>{}</UserId>\n<Account>{}</Account>\n",
            caller.arn, caller.user_id, world.organization.accounts[caller.account].id
        ));
    }
    let caller_key = request.scope().map_or("", |scope| scope.access_key.as_str());
    assume_role(world, caller, caller_key, &form)
}

fn failed(member: &str, value: &str, constraint: &str) -> AwsError {
    let mut error = AwsError::validation(member, value, constraint);
    // The query protocol's code for what the JSON services call ValidationException.
    error.code = "ValidationError";
    error
}

fn is_word(text: &str, further: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || further.contains(c))
}

fn text<'a>(form: &'a Form, name: &str, min: usize, max: usize, further: &str) -> Result<Option<&'a str>, AwsError> {
    let Some(value) = form.get(name) else { return Ok(None) };
    let mut letters = name.chars();
    let member: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    if value.len() < min {
        return Err(failed(&member, value, &format!("Member must have length greater than or equal to {min}")));
    }
    if value.len() > max {
        return Err(failed(&member, value, &format!("Member must have length less than or equal to {max}")));
    }
    if !is_word(value, further) {
        let pattern = format!("Member must satisfy regular expression pattern: [\\w{further}]*");
        return Err(failed(&member, value, &pattern));
    }
    Ok(Some(value))
}

fn required<'a>(form: &Form, name: &str, value: Option<&'a str>) -> Result<&'a str, AwsError> {
    value.ok_or_else(|| {
        let _ = form;
        let mut letters = name.chars();
        let member: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        AwsError::client(
            "ValidationError",
            format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
        )
    })
}

fn assume_role(world: &World, caller: &Caller, caller_key: &str, form: &Form) -> Result<String, AwsError> {
    let known = [
        "Action",
        "Version",
        "RoleArn",
        "RoleSessionName",
        "Policy",
        "DurationSeconds",
        "ExternalId",
        "SourceIdentity",
    ];
    if let Some(name) = form.names().find(|name| {
        !known.contains(name) && !["Tags.", "TransitiveTagKeys."].iter().any(|list| name.starts_with(list))
    }) {
        return Err(AwsError::client(
            "ValidationError",
            format!("The parameter {name} is unknown or not modelled by this sandbox"),
        ));
    }
    let role_arn = required(form, "RoleArn", form.get("RoleArn"))?;
    let session_name = required(form, "RoleSessionName", text(form, "RoleSessionName", 2, 64, "+=,.@-")?)?;
    let external_id = text(form, "ExternalId", 2, 1224, "+=,.@:/-")?;
    let source_identity = text(form, "SourceIdentity", 2, 256, "+=,.@-")?;
    let duration = duration(form)?;
    let (policy, packed) = session_policy(world, form)?;
    let tags = tags(form)?;
    // Who is outside the role's account is not told why.
    let denied = || refused(caller.into(), &Ask::new("sts:AssumeRole", role_arn), None);
    let Some((account_id, role_name)) = world
        .spec
        .partition
        .strip_arn("iam", role_arn)
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(|rest| rest.split_once(":role/"))
    else {
        return Err(AwsError::client("ValidationError", format!("{role_arn} is invalid")));
    };
    // One answer for every reason: STS does not tell whether the account, the role or the trust is missing.
    let account = world.organization.find(account_id).ok_or_else(denied)?;
    if world.organization.accounts[account].state != "ACTIVE" {
        return Err(denied());
    }
    let role = world.role(account, role_name).ok_or_else(denied)?;
    let trust = role.policies.trust(account_id);
    for action in actions(source_identity, &tags) {
        let mut ask = Ask::new(action, role_arn).of(account).trust(&trust).key("sts:RoleSessionName", session_name);
        for (name, value) in [("sts:ExternalId", external_id), ("sts:SourceIdentity", source_identity)] {
            if let Some(value) = value {
                ask = ask.key(name, value);
            }
        }
        for (name, value) in &tags {
            ask = ask.key(&format!("aws:RequestTag/{name}"), value).key("aws:TagKeys", name);
        }
        decide(world, caller.into(), &ask).map_err(|refusal| {
            let tells = account == caller.account || refusal.source != Source::Resource;
            refused(caller.into(), &ask, tells.then_some(refusal))
        })?;
    }
    if caller.kind == CallerKind::RoleSession && duration.is_some_and(|seconds| seconds > 3600) {
        return Err(AwsError::client(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if duration.is_some_and(|seconds| seconds > role.policies.max_session_seconds) {
        return Err(AwsError::client(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let now = now_ms();
    let arn = world.spec.partition.session_arn(account_id, bare(&role.name), session_name);
    let role_id = format!("{}:{session_name}", role.id);
    let session = world.sessions.open(
        Caller {
            account,
            arn: arn.as_str().into(),
            user_id: role_id.as_str().into(),
            kind: CallerKind::RoleSession,
            session: Some(Arc::new(SessionContext {
                policy,
                tags,
                source_identity: source_identity.map(String::from),
            })),
        },
        now,
        duration.unwrap_or(3600),
    );
    world.trail.opened(&session.access_key, source_identity, caller_key);
    let mut result = format!(
        "<AssumedRoleUser><AssumedRoleId>{role_id}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>\n\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
         <Expiration>{}</Expiration></Credentials>\n",
        session.access_key,
        session.secret,
        session.token,
        iso8601(session.expires_ms)
    );
    if let Some(percent) = packed {
        let _ = writeln!(result, "<PackedPolicySize>{percent}</PackedPolicySize>");
    }
    if let Some(identity) = source_identity {
        let _ = writeln!(result, "<SourceIdentity>{}</SourceIdentity>", escape(identity));
    }
    Ok(result)
}

fn duration(form: &Form) -> Result<Option<u32>, AwsError> {
    let Some(text) = form.get("DurationSeconds") else { return Ok(None) };
    let seconds: i64 = text
        .parse()
        .map_err(|_| AwsError::client("MalformedInput", "DurationSeconds can not be converted to an Integer"))?;
    match seconds {
        ..900 => Err(failed("durationSeconds", text, "Member must have value greater than or equal to 900")),
        900..=43_200 => Ok(Some(seconds as u32)),
        _ => Err(failed("durationSeconds", text, "Member must have value less than or equal to 43200")),
    }
}

/// The actions that a request asks for: session tags and a source identity are rights of their own.
fn actions(source_identity: Option<&str>, tags: &[(String, String)]) -> impl Iterator<Item = &'static str> {
    let further = [("sts:SetSourceIdentity", source_identity.is_some()), ("sts:TagSession", !tags.is_empty())];
    std::iter::once("sts:AssumeRole").chain(further.into_iter().filter(|(_, asked)| *asked).map(|(action, _)| action))
}

/// The session policy, and its share of the packed limit in percent.
fn session_policy(world: &World, form: &Form) -> Result<(Option<Arc<Policy>>, Option<usize>), AwsError> {
    let Some(policy) = form.get("Policy") else { return Ok((None, None)) };
    if policy.chars().count() > 2048 {
        return Err(failed("policy", policy, "Member must have length less than or equal to 2048"));
    }
    let loaded = world.permissions.load(Kind::Session, policy).map_err(|reason| {
        let message = if reason.contains("not JSON") {
            "This policy contains invalid Json".to_string()
        } else {
            format!("Syntax errors in policy: {reason}.")
        };
        AwsError::client("MalformedPolicyDocument", message)
    })?;
    Ok((Some(loaded), Some((policy.len() * 100 / 4096).max(1))))
}

fn tags(form: &Form) -> Result<Vec<(String, String)>, AwsError> {
    let mut tags = Vec::new();
    if !form.has_list("Tags.member.") {
        return Ok(tags);
    }
    if form.get("Tags.member.51.Key").is_some() {
        return Err(failed("tags", "", "Member must have length less than or equal to 50"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for nth in 1..=50 {
        let Some(key) = form.get(&format!("Tags.member.{nth}.Key")) else { break };
        if key.is_empty() || key.len() > 128 {
            return Err(failed(&format!("tags.{nth}.member.key"), key, "Member must have length between 1 and 128"));
        }
        let Some(value) = form.get(&format!("Tags.member.{nth}.Value")).filter(|value| value.len() <= 256) else {
            return Err(failed(
                &format!("tags.{nth}.member.value"),
                "",
                "Member must have length less than or equal to 256",
            ));
        };
        tags.push((key.to_string(), value.to_string()));
        if !seen.insert(key.to_lowercase()) {
            return Err(AwsError::client(
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    Ok(tags)
}
