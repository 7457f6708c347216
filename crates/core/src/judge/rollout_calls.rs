//! The calls that orgseal's two roles make in a member account during a rollout, and the policies that deny them.
//!
//! One evaluator for `preflight`, which asks about an account, and for the guard `change-denied`, which asks about a bucket.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::policy::{
    Answer, ControlKind, Hindrance, Holder, Kept, Known, Level, Parsed, Policy, Request, Text, hindrances,
};
use crate::model::{Identities, KeyArn};

/// orgseal's roles in a member account.
#[derive(Clone, Debug, Default)]
pub struct RolloutRoles {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// The member account.
    pub account: String,
    /// The ARN of the member role.
    pub member: String,
    /// The ARN of the automation role.
    pub automation: String,
    /// The account is entered with the caller's own credentials: which role they belong to is not known.
    pub member_is_caller: bool,
    /// The name of the document.
    pub document: String,
    /// The account that shares the document; `None`: the member account itself.
    pub document_owner: Option<String>,
    /// The id of the organization.
    pub organization: String,
    /// The root and the OUs above the account.
    pub ous: Vec<String>,
    /// The accounts of documents and keys that are not in the organization.
    pub outside: BTreeSet<String>,
}

/// One call, by one of the two roles.
#[derive(Clone, Debug)]
pub struct RolloutCall {
    /// Whether the automation role makes it; the member role does otherwise.
    pub automation: bool,
    /// The action, as IAM names it.
    pub action: &'static str,
    /// Each must be allowed.
    pub resources: Vec<Text>,
    /// `None`: the call is not bound to a Region.
    pub region: Option<String>,
    /// The central key that the call uses.
    pub key: Option<KeyArn>,
}

/// The control policies above an account, its own among them.
#[derive(Clone, Debug, Default)]
pub struct AccountControls {
    /// Service control policies: they bound the roles of the account.
    pub service: Vec<Arc<Level>>,
    /// Resource control policies: they bound its buckets.
    pub resource: Vec<Arc<Level>>,
    /// The policies that are attached to the account itself were not read; those of its OUs and root were.
    pub account_unread: bool,
}

/// What denies a call, or may deny it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    /// Where it is.
    pub at: Place,
    /// The statement, for people; `None` where no statement allows the call.
    pub statement: Option<String>,
    /// Why it could not be determined whether it denies; `None` where it denies for certain.
    pub perhaps: Option<String>,
}

/// What is known of the policy of the bucket that a call is made on.
#[derive(Clone, Copy, Debug)]
pub enum BucketPolicySeen<'a> {
    /// The bucket has this policy; `None`: it has none, or the question is about no bucket in particular.
    Known(Option<&'a Policy>),
    /// It was not read, or is not understood: it may allow what the role's own policies do not.
    Unknown,
}

/// The policies that may deny a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A control policy, or a root, OU or account without one that allows the call.
    Control(Hindrance),
    /// The bucket policy.
    BucketPolicy,
    /// The policies of the role itself.
    Role,
    /// The permissions boundary of the role.
    Boundary,
}

/// The role policies that were parsed, by role, as long as the evidence is there: all buckets of the account share them.
static ROLES: Kept<Identities, ParsedRoles> = Kept::new();

/// Role ARN to its parsed policies; none where the evidence has no such role.
type ParsedRoles = Mutex<HashMap<String, Option<Arc<Holder>>>>;

impl RolloutRoles {
    /// The ARN of the role that makes a call.
    #[must_use]
    pub fn role(&self, automation: bool) -> &str {
        if automation { &self.automation } else { &self.member }
    }

    /// The calls that are not bound to a Region.
    #[must_use]
    pub fn account_calls(&self) -> Vec<RolloutCall> {
        let pass = vec![Text::Exactly(self.automation.clone())];
        vec![RolloutCall { automation: false, action: "iam:PassRole", resources: pass, region: None, key: None }]
    }

    /// The calls to Systems Manager in a Region.
    #[must_use]
    pub fn region_calls(&self, region: &str) -> Vec<RolloutCall> {
        let executions =
            Text::Beginning(format!("arn:{}:ssm:{region}:{}:automation-execution/", self.partition, self.account));
        let document = Text::Exactly(self.document_arn(region));
        let call = |action, resources| RolloutCall {
            automation: false,
            action,
            resources,
            region: Some(region.to_owned()),
            key: None,
        };
        vec![
            call("ssm:StartAutomationExecution", vec![document, executions.clone()]),
            call("ssm:AddTagsToResource", vec![executions]),
            call("ssm:DescribeAutomationExecutions", vec![Text::from("*")]),
        ]
    }

    /// The calls on a bucket of a Region, or on any bucket there. That the member role may read a bucket shows when it does.
    #[must_use]
    pub fn bucket_calls(&self, region: &str, bucket: Option<&str>) -> Vec<RolloutCall> {
        let resource = match bucket {
            Some(bucket) => Text::Exactly(format!("arn:{}:s3:::{bucket}", self.partition)),
            None => Text::Beginning(format!("arn:{}:s3:::", self.partition)),
        };
        let call = |automation, action| RolloutCall {
            automation,
            action,
            resources: vec![resource.clone()],
            region: Some(region.to_owned()),
            key: None,
        };
        vec![
            call(false, "s3:GetEncryptionConfiguration"),
            call(true, "s3:GetEncryptionConfiguration"),
            call(true, "s3:PutEncryptionConfiguration"),
        ]
    }

    fn document_arn(&self, region: &str) -> String {
        let owner = self.document_owner.as_ref().unwrap_or(&self.account);
        format!("arn:{}:ssm:{region}:{owner}:document/{}", self.partition, self.document)
    }

    /// What is known beforehand of the request that a call is.
    #[must_use]
    pub fn request(&self, call: &RolloutCall, resource: Text) -> Request {
        let path = self.ous.iter().fold(format!("{}/", self.organization), |path, ou| format!("{path}{ou}/"));
        let mut request = Request::of(self.role(call.automation), &self.account, call.action, resource)
            .with_value("aws:PrincipalOrgID", self.organization.as_str())
            .with_value("aws:PrincipalType", "AssumedRole");
        if !self.ous.is_empty() {
            request = request.with_value("aws:PrincipalOrgPaths", path);
        }
        if self.member_is_caller && !call.automation {
            // A session's ARN does not tell the path of its role.
            request = request.with("aws:PrincipalArn", Known::Unknown).with("aws:PrincipalType", Known::Unknown);
        }
        if let Some(region) = &call.region {
            request = request.with_value("aws:RequestedRegion", region.as_str());
        }
        if call.action == "iam:PassRole" {
            request = request.with_value("iam:PassedToService", "ssm.amazonaws.com");
        }
        if call.key.is_some() {
            // The proof is made directly.
            request = request.with("kms:ViaService", Known::Absent);
        }
        // Buckets have no account in their ARN, and are the account's own.
        let (Text::Exactly(arn) | Text::Beginning(arn)) = &request.resource;
        let owner = arn.split(':').nth(4).filter(|owner| !owner.is_empty()).unwrap_or(&self.account).to_owned();
        if !self.outside.contains(&owner) {
            request = request.with_value("aws:ResourceOrgID", self.organization.as_str());
        }
        if call.action.starts_with("s3:") {
            request = request.with_value("s3:ResourceAccount", owner.as_str());
        }
        request.with_value("aws:ResourceAccount", owner)
    }

    /// The control policies that deny a call, or may. Where one denies for certain, what only may deny is left out. `of_key`: the
    /// resource control policies above the account of the key, for a call that uses one.
    #[must_use]
    pub fn denied_by_controls(
        &self,
        call: &RolloutCall,
        controls: &AccountControls,
        of_key: &[Arc<Level>],
    ) -> BTreeSet<Hindrance> {
        let service: Vec<&Level> = controls.service.iter().map(Arc::as_ref).collect();
        // Bound is the account that the resource is in. Neither Systems Manager nor IAM is among the services whose resources are.
        let resource: Vec<&Level> = match &call.key {
            Some(_) => of_key.iter().map(Arc::as_ref).collect(),
            None if call.action.starts_with("s3:") => controls.resource.iter().map(Arc::as_ref).collect(),
            None => Vec::new(),
        };
        let mut found = BTreeSet::new();
        for text in &call.resources {
            let request = self.request(call, text.clone());
            found.extend(hindrances(ControlKind::Service, &service, &request));
            found.extend(hindrances(ControlKind::Resource, &resource, &request));
        }
        if found.iter().any(|hindrance| hindrance.perhaps.is_none()) {
            found.retain(|hindrance| hindrance.perhaps.is_none());
        }
        found
    }

    /// The statements of a bucket policy that deny a call on the bucket, or may.
    #[must_use]
    pub fn denied_by_bucket_policy(&self, call: &RolloutCall, policy: &Policy) -> Vec<Obstacle> {
        let requests: Vec<Request> = call.resources.iter().map(|text| self.request(call, text.clone())).collect();
        let found = policy.denies().flat_map(|statement| {
            requests
                .iter()
                .filter_map(|request| obstacle(Place::BucketPolicy, statement.called(), statement.denies(request)))
        });
        found.collect()
    }

    /// What in a role's own policies and permissions boundary denies a call, or may; `None`: nothing does. `bucket_policy` may allow
    /// a call on the bucket where the role's own policies do not.
    #[must_use]
    pub fn denied_by_role(
        &self,
        call: &RolloutCall,
        identities: &Arc<Identities>,
        bucket_policy: BucketPolicySeen<'_>,
    ) -> Option<Obstacle> {
        let arn = self.role(call.automation);
        if self.member_is_caller && !call.automation {
            return None;
        }
        let Some(holder) = holder(identities, arn) else {
            // IAM is eventually consistent: a role that was just created may be missing here.
            let why = "IAM does not list the role".to_owned();
            return Some(Obstacle { at: Place::Role, statement: None, perhaps: Some(why) });
        };
        let is_on_bucket = call.action.starts_with("s3:");
        let may_be_allowed_there = is_on_bucket && matches!(bucket_policy, BucketPolicySeen::Unknown);
        let bucket_policy = match bucket_policy {
            BucketPolicySeen::Known(policy) => policy.filter(|_| is_on_bucket),
            BucketPolicySeen::Unknown => None,
        };
        // Denies of the bucket policy are told on their own.
        let may = |resource: &Text| {
            let request = self.request(call, resource.clone());
            let own = holder.may(&request).answer;
            match bucket_policy.map(|policy| policy.admission(&request)) {
                Some(said) => own.or(said.named).or(said.everyone),
                None => own,
            }
        };
        let denied = call.resources.iter().find_map(|resource| {
            let request = self.request(call, resource.clone());
            holder.denying_statement(&request)
        });
        if let Some(statement) = denied {
            return Some(Obstacle { at: Place::Role, statement: Some(statement), perhaps: None });
        }
        let answers: Vec<Answer> = match (call.action, call.region.as_deref()) {
            // Policies written before Systems Manager checked documents name `automation-definition`.
            ("ssm:StartAutomationExecution", Some(region)) => {
                let definition = self.document_arn(region).replace(":document/", ":automation-definition/") + ":";
                let document = may(&call.resources[0]).or(may(&Text::Beginning(definition)));
                std::iter::once(document).chain(call.resources[1..].iter().map(may)).collect()
            }
            _ => call.resources.iter().map(may).collect(),
        };
        if answers.iter().all(|answer| *answer == Answer::Yes) {
            return None;
        }
        let perhaps = match answers.iter().all(|answer| *answer == Answer::No) {
            true => {
                may_be_allowed_there.then(|| "the bucket policy, which may allow it, could not be evaluated".to_owned())
            }
            false => Some(match answers.iter().find(|answer| matches!(answer, Answer::CannotTell(_))) {
                Some(Answer::CannotTell(why)) => why.clone(),
                _ => "it is allowed on some of the resources of the call".to_owned(),
            }),
        };
        let bounded = holder.boundary.is_some() && {
            let free = Holder { boundary: None, ..(*holder).clone() };
            let allowed = |resource: &Text| free.may(&self.request(call, resource.clone())).answer.is_possible();
            call.resources.iter().any(allowed)
        };
        Some(Obstacle { at: if bounded { Place::Boundary } else { Place::Role }, statement: None, perhaps })
    }
}

fn obstacle(at: Place, statement: String, denies: Answer) -> Option<Obstacle> {
    let perhaps = match denies {
        Answer::No => return None,
        Answer::Yes => None,
        Answer::CannotTell(why) => Some(why),
    };
    Some(Obstacle { at, statement: Some(statement), perhaps })
}

/// A role with its policies, parsed once.
fn holder(identities: &Arc<Identities>, arn: &str) -> Option<Arc<Holder>> {
    let roles = ROLES.of(identities, |_| Mutex::default());
    let mut roles = roles.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = roles.get(arn) {
        return known.clone();
    }
    let identity = identities.principals.iter().find(|identity| identity.arn == arn);
    let parse = |text: &str| -> Parsed { Arc::new(Policy::parse(text)) };
    let holder = identity.map(|identity| Arc::new(Holder::of(identity, parse)));
    roles.insert(arn.to_owned(), holder.clone());
    holder
}
