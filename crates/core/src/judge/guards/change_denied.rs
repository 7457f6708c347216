//! `change-denied`: a policy denies the change itself to orgseal's own roles.

use std::collections::{BTreeMap, BTreeSet};

use super::sight::{Dark, Sight, read};
use super::{Guard, Need, Word};
use crate::judge::policy::ControlKind;
use crate::judge::{BucketPolicySeen, Obstacle, Place, RolloutCall};

/// Each execution would fail, or not even start. A deny that is certain holds the bucket; one that may or may not apply is a warning,
/// since the first execution in an account and Region goes alone where it may be denied (`campaign/first_start.rs`).
pub(super) struct ChangeDenied;

impl Guard for ChangeDenied {
    fn name(&self) -> &'static str {
        "change-denied"
    }

    fn keeps_from(&self) -> &'static str {
        "every execution fails, because a policy denies the change to orgseal's own roles"
    }

    fn holds_unsure(&self) -> bool {
        false
    }

    /// The bucket policy is evaluated where another guard reads it.
    fn needs(&self) -> &'static [Need] {
        &[Need::Identities, Need::ControlPolicies]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at)
    }
}

/// What denies a call, and what to do about it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    /// The kind of policy, for people.
    kind: &'static str,
    /// The policy and the statement, for people.
    what: String,
    /// What it does to the call, for certain and perhaps.
    verbs: (&'static str, &'static str),
    /// Why this is uncertain.
    perhaps: Option<String>,
    hint: String,
}

const DENIES: (&str, &str) = ("denies", "may deny");
const DO_NOT_ALLOW: (&str, &str) = ("do not allow", "may not allow");

fn look(at: &Sight<'_>) -> Word {
    let Some(rollout) = at.rollout else { return Word::from(Dark::not_read("the roles of the rollout")) };
    let (roles, region) = (&rollout.roles, at.bucket.region.as_str());
    let identities = read(&at.account.identities, "GetAccountAuthorizationDetails");
    // `None`: no guard that is asked reads it.
    let bucket_policy = at.evidence.policy.as_ref().map(|_| at.bucket_policy());
    let seen = match &bucket_policy {
        Some(Ok(policy)) => BucketPolicySeen::Known(*policy),
        Some(Err(_)) | None => BucketPolicySeen::Unknown,
    };
    let mut causes: BTreeMap<Cause, BTreeMap<bool, BTreeSet<&'static str>>> = BTreeMap::new();
    let mut add = |obstacle: Obstacle, call: &RolloutCall| {
        let cause = cause(at, &obstacle, call);
        causes.entry(cause).or_default().entry(call.automation).or_default().insert(call.action);
    };
    let calls = roles.account_calls().into_iter().chain(roles.region_calls(region));
    // That the member role may read the bucket has just been shown.
    let on_bucket = roles.bucket_calls(region, Some(&at.bucket.name)).into_iter().filter(|call| call.automation);
    for call in calls.chain(on_bucket) {
        if let Some(controls) = &rollout.controls {
            for found in roles.denied_by_controls(&call, controls, &[]) {
                let (statement, perhaps) = (found.statement.clone(), found.perhaps.clone());
                add(Obstacle { at: Place::Control(found), statement, perhaps }, &call);
            }
        }
        if let BucketPolicySeen::Known(Some(policy)) = seen
            && call.action.starts_with("s3:")
        {
            roles.denied_by_bucket_policy(&call, policy).into_iter().for_each(|found| add(found, &call));
        }
        if let Ok(identities) = identities {
            roles.denied_by_role(&call, identities, seen).into_iter().for_each(|found| add(found, &call));
        }
    }
    let certain = causes.keys().any(|cause| cause.perhaps.is_none());
    let told = causes.iter().filter(|(cause, _)| cause.perhaps.is_none() == certain);
    let (mut evidence, mut hints, mut kinds) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (cause, denied) in told {
        kinds.insert(cause.kind);
        evidence.push(in_words(at, cause, denied));
        if !hints.contains(&cause.hint) {
            hints.push(cause.hint.clone());
        }
    }
    let mut hint = hints.join("; ");
    if certain {
        let verb = if kinds.len() == 1 { "denies" } else { "deny" };
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(" and ");
        let says = format!("{kinds} {verb} the change to orgseal's own roles");
        return Word::Found { says, evidence, hint, principals: Vec::new() };
    }
    let unread = identities.err().into_iter().chain(bucket_policy.and_then(Result::err));
    for dark in unread {
        evidence.push(dark.why);
        hint = if hint.is_empty() { dark.hint } else { format!("{hint}; {}", dark.hint) };
    }
    if evidence.is_empty() { Word::Clear } else { Word::CannotTell { evidence, hint, principals: Vec::new() } }
}

/// A statement, or the lack of one, and its fix.
fn cause(at: &Sight<'_>, obstacle: &Obstacle, call: &RolloutCall) -> Cause {
    // The name alone: it is the same in every account, and so is the fix.
    let role = at.rollout.map_or("", |rollout| rollout.roles.role(call.automation));
    let role = format!("role {}", role.rsplit('/').next().unwrap_or(role));
    let shipped = if call.automation { "automation.json" } else { "member-rollout.json" };
    let (what, verbs, hint) = match (&obstacle.at, &obstacle.statement) {
        (Place::Control(found), statement) => {
            let (kind, kinds) = match found.kind {
                ControlKind::Service => ("service control policy", "service control policies"),
                ControlKind::Resource => ("resource control policy", "resource control policies"),
            };
            let place = found.attached_to();
            match &found.policy {
                Some((id, name)) => (
                    match statement {
                        Some(statement) => format!("{kind} {name} ({id}), attached to {place}, {statement}"),
                        None => format!("{kind} {name} ({id}), attached to {place},"),
                    },
                    DENIES,
                    format!(
                        "ask the management account to exempt {role} from {kind} {name} ({id}), or exclude the account, or its buckets"
                    ),
                ),
                None => (
                    format!("the {kinds} attached to {place}"),
                    DO_NOT_ALLOW,
                    format!(
                        "ask the management account to allow {} to {role} there, or exclude the account",
                        call.action
                    ),
                ),
            }
        }
        (Place::BucketPolicy, statement) => (
            format!("the bucket policy, {}", statement.as_deref().unwrap_or_default()),
            DENIES,
            format!("ask the bucket's owner to exempt {role} in the bucket policy, or exclude the bucket"),
        ),
        (Place::Role, Some(statement)) => {
            (format!("{statement} of the role"), DENIES, format!("exempt {} in that statement", call.action))
        }
        (Place::Role, None) => (
            "the role's own policies".to_owned(),
            DO_NOT_ALLOW,
            format!("allow {} to {role}, as config/policies/{shipped} does", call.action),
        ),
        (Place::Boundary, _) => (
            "the permissions boundary of the role".to_owned(),
            ("does not allow", "may not allow"),
            format!("allow {} in the permissions boundary of {role}", call.action),
        ),
    };
    let kind = match &obstacle.at {
        Place::Control(found) if found.kind == ControlKind::Service => "a service control policy",
        Place::Control(_) => "a resource control policy",
        Place::BucketPolicy => "the bucket policy",
        Place::Role => "a role's own policy",
        Place::Boundary => "a role's permissions boundary",
    };
    Cause { kind, what, verbs, perhaps: obstacle.perhaps.clone(), hint }
}

fn in_words(at: &Sight<'_>, cause: &Cause, denied: &BTreeMap<bool, BTreeSet<&'static str>>) -> String {
    let role = |automation: &bool| at.rollout.map_or("", |rollout| rollout.roles.role(*automation));
    let whom = denied.iter().map(|(automation, actions)| {
        let actions: Vec<&str> = actions.iter().copied().collect();
        format!("{} to {}", actions.join(", "), role(automation))
    });
    let whom = whom.collect::<Vec<_>>().join(", and ");
    match &cause.perhaps {
        None => format!("{} {} {whom}", cause.what, cause.verbs.0),
        Some(why) => format!("{} {} {whom}: {why}", cause.what, cause.verbs.1),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fixture::*;
    use super::*;
    use crate::judge::AccountControls;
    use crate::judge::policy::{ControlPolicy, Level, Policy};
    use crate::model::Read;

    const GUARD: ChangeDenied = ChangeDenied;
    const AUTOMATION: &str = "arn:aws:iam::111122223333:role/orgseal-automation";

    fn scene(statement: Option<&str>) -> Scene {
        Scene::with_policies(statement, ORGANIZATION).with_rollout()
    }

    fn deny(principal: &str, condition: &str) -> String {
        format!(r#"{{"Sid":"D","Effect":"Deny",{principal}"Action":"s3:Put*","Resource":"*","Condition":{condition}}}"#)
    }

    #[test]
    fn a_statement_of_the_bucket_policy_is_named() {
        let found = format!("the bucket policy, statement D denies s3:PutEncryptionConfiguration to {AUTOMATION}");
        for (principal, condition, certain) in [
            (
                r#""Principal":"*","#,
                r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/team"}}"#,
                Some(true),
            ),
            (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/team"},"#, "{}", Some(true)),
            (r#""Principal":"*","#, r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/orgseal-*"}}"#, None),
            (r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/team"},"#, "{}", None),
            (r#""Principal":"*","#, r#"{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}"#, Some(false)),
        ] {
            let scene = scene(Some(&deny(principal, condition)));
            match certain {
                Some(true) => assert_eq!(scene.found(&GUARD), [found.as_str()], "{condition}"),
                Some(false) => assert!(scene.untold(&GUARD)[0].contains("may deny"), "{condition}"),
                None => assert_eq!(scene.look(&GUARD), Word::Clear, "{principal} {condition}"),
            }
        }
    }

    #[test]
    fn a_control_policy_above_the_account_is_named_and_one_that_cannot_be_read_is_not_told_of_here() {
        let mut scene = scene(None);
        let control = |text: &str| ControlPolicy {
            id: "p-1".into(),
            name: "encryption".into(),
            policy: Arc::new(Policy::parse(&policy(text))),
        };
        let full = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
        let level =
            |text: &str| Arc::new(Level { target: "ou-1".into(), policies: vec![control(full), control(text)] });
        let mut with = |text: &str| {
            let controls = AccountControls { service: vec![level(text)], ..AccountControls::default() };
            scene.rollout.as_mut().unwrap().controls = Some(Arc::new(controls));
            scene.look(&GUARD)
        };
        let Word::Found { evidence, hint, .. } =
            with(&deny("", r#"{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#))
        else {
            panic!("nothing found")
        };
        assert_eq!(
            evidence,
            [format!(
                "service control policy encryption (p-1), attached to OU ou-1, statement D denies s3:PutEncryptionConfiguration to {AUTOMATION}"
            )]
        );
        assert!(hint.contains("ask the management account to exempt"), "{hint}");
        assert_eq!(with(&deny("", r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#)), Word::Clear);
        scene.rollout.as_mut().unwrap().controls = None;
        assert_eq!(scene.look(&GUARD), Word::Clear);
    }

    #[test]
    fn a_role_without_a_right_is_named_and_one_that_iam_does_not_list_is_uncertain() {
        let scene = scene(None).with_roles(&[(
            "orgseal-member",
            &[r#"{"Effect":"Allow","Action":["ssm:Describe*","ssm:Add*","iam:PassRole"],"Resource":"*"}"#],
        )]);
        let found = scene.found(&GUARD);
        assert_eq!(
            found,
            [
                "the role's own policies do not allow ssm:StartAutomationExecution to arn:aws:iam::111122223333:role/orgseal-member"
            ]
        );
        let scene = self::scene(None).with_roles(&[("orgseal-member", &OLDER)]);
        assert!(scene.untold(&GUARD)[0].contains("IAM does not list the role"), "{:?}", scene.untold(&GUARD));
    }

    #[test]
    fn a_bucket_policy_that_is_not_known_may_allow_what_the_roles_own_policies_do_not() {
        let reads = r#"{"Effect":"Allow","Action":"s3:GetEncryptionConfiguration","Resource":"*"}"#;
        let all = r#"{"Effect":"Allow","Action":["ssm:*","iam:PassRole"],"Resource":"*"}"#;
        let scene = |policy: Read<Option<String>>| {
            let mut scene =
                self::scene(None).with_roles(&[("orgseal-member", &[all]), ("orgseal-automation", &[reads])]);
            scene.evidence.policy = policy;
            scene
        };
        let lacks = "the role's own policies do not allow s3:PutEncryptionConfiguration";
        assert!(scene(Some(Ok(None))).found(&GUARD)[0].starts_with(lacks));
        let may = "may not allow s3:PutEncryptionConfiguration to arn:aws:iam::111122223333:role/orgseal-automation: the bucket policy, \
                   which may allow it, could not be evaluated";
        for unread in [denied("GetBucketPolicy", "allow it"), None, Some(Ok(Some("{}".to_owned())))] {
            let untold = scene(unread).untold(&GUARD);
            assert!(untold[0].ends_with(may), "{untold:?}");
        }
        // What the role itself denies is denied whatever the bucket policy says.
        let denies = r#"{"Sid":"No","Effect":"Deny","Action":"s3:Put*","Resource":"*"}"#;
        let mut scene =
            self::scene(None).with_roles(&[("orgseal-member", &[all]), ("orgseal-automation", &[reads, denies])]);
        scene.evidence.policy = denied("GetBucketPolicy", "allow it");
        assert!(scene.found(&GUARD)[0].contains("statement No of the role denies"), "{:?}", scene.found(&GUARD));
    }

    /// Policies of before name `automation-definition` instead of the document.
    const OLDER: [&str; 2] = [
        r#"{"Effect":"Allow","Action":["ssm:*","iam:PassRole"],"Resource":["arn:aws:ssm:*:111122223333:automation-definition/EnableS3BucketEncryptionWithKMS:*","arn:aws:ssm:*:111122223333:automation-execution/*","arn:aws:iam::111122223333:role/orgseal-automation"]}"#,
        r#"{"Effect":"Allow","Action":"ssm:Describe*","Resource":"*"}"#,
    ];
}
