//! A look at each account: what of the groundwork is there, and says what.

use std::collections::BTreeSet;

use futures::future::{join, join_all};
use orgseal_core::aws::make::{LEAST_MAX_SESSION, RoleWanted};
use orgseal_core::aws::{Authorizations, Member, PrincipalPolicies, Purpose, Ssm};
use orgseal_core::campaign::fail_point;
use orgseal_core::event::Event;
use orgseal_core::model::{Account, AwsError, Identity, Operation};
use serde_norway::Value;

use super::remediation::RULE;
use super::tree::first_difference;
use super::{AccountFound, Compared, Finding, Kind, PATH_IS_FIXED, Site, SiteError, State};
use crate::meaning::differences;
use crate::pieces::{CALLERS, PACK, Pieces, PolicyWanted};

/// What was found of some pieces, one by one: `None` for a piece that is as it is to be.
pub(super) type Found = Vec<Option<Finding>>;

impl Site {
    /// Compares every account with what the campaign file makes.
    pub async fn compare(&self) -> Result<Compared, SiteError> {
        self.began();
        let looks = self.look_at(self.accounts.clone());
        let (mut accounts, (guardrails_same, guardrails)) = join(looks, self.guardrails_found()).await;
        accounts.sort_by(|a, b| a.id.cmp(&b.id));
        self.ended();
        Ok(Compared {
            organization: self.organization.id.clone(),
            interrupted: self.stop.is_cancelled(),
            accounts,
            guardrails,
            guardrails_same,
        })
    }

    /// Compares some accounts.
    pub(super) async fn look_at(&self, accounts: Vec<Account>) -> Vec<AccountFound> {
        let unknown = |account: &Account, error: AwsError| AccountFound {
            id: account.id.clone(),
            name: account.name.clone(),
            skipped: None,
            same: 0,
            findings: vec![Finding::unread(Kind::Account, self.through(), None, &error)],
        };
        self.each(accounts, |site, account| async move { site.look(&account).await }, unknown).await
    }

    async fn look(&self, account: &Account) -> AccountFound {
        fail_point("bootstrap_look");
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        let mut found = AccountFound {
            id: account.id.clone(),
            name: account.name.clone(),
            skipped: (!account.is_active()).then(|| account.state.clone()),
            same: 0,
            findings: Vec::new(),
        };
        if found.skipped.is_some() {
            self.events.emit(&Event::AccountSkipped { account: account.clone() });
            return found;
        }
        let (inside, owned) = join(self.inside(account), self.owned(account)).await;
        for piece in inside.into_iter().chain(owned) {
            match piece {
                Some(finding) => found.findings.push(finding),
                None => found.same += 1,
            }
        }
        match found.findings.iter().find(|finding| finding.kind == Kind::Account) {
            Some(Finding { error: Some(error), .. }) => {
                self.events.emit(&Event::AccountUnread { account: account.clone(), error: error.clone() });
            }
            _ => self.events.emit(&Event::AccountRead { account: account.clone(), buckets: 0 }),
        }
        found
    }

    /// What every member account has.
    async fn inside(&self, account: &Account) -> Found {
        let member = match self.enter(&account.id, Purpose::Compare).await {
            Ok(member) => member,
            Err(error) => return vec![Some(Finding::unread(Kind::Account, self.through(), None, &error))],
        };
        let regions = &self.regions;
        let places = join_all(regions.iter().map(|region| self.place(&member, account, region)));
        let (whole, places) = join(self.whole(&member, account), places).await;
        whole.into_iter().chain(places.into_iter().flatten()).collect()
    }

    /// What is no Region's.
    async fn whole(&self, member: &Member, account: &Account) -> Found {
        let wanted = match self.groundwork.account_pieces(&account.id) {
            Ok(wanted) => wanted,
            Err(error) => return vec![Some(Finding::unread(Kind::Role, "roles", None, &fault(&error)))],
        };
        let there = match member.authorizations().await {
            Ok(there) => there,
            Err(error) => return vec![Some(Finding::unread(Kind::Role, "roles", None, &error))],
        };
        let roles = join_all(wanted.roles.iter().map(|role| with_session(member, role, of_role(role, &there)))).await;
        let policies = wanted.policies.iter().map(|policy| self.of_policy(policy, &there));
        roles.into_iter().chain(policies).collect()
    }

    fn of_policy(&self, wanted: &PolicyWanted, there: &Authorizations) -> Option<Finding> {
        let caller = &self.groundwork.file.bootstrap.caller;
        let who = there.identities.principals.iter().find(|one| one.arn.ends_with(&format!(":{caller}")));
        let is_callers = wanted.name == CALLERS;
        let nobody = (is_callers && who.is_none())
            .then(|| format!("{caller} (bootstrap.caller) does not exist, but every member role must trust it"));
        let Some(text) = there.policies.get(&wanted.arn) else {
            let says = nobody.into_iter().collect();
            return Some(Finding { says, ..Finding::missing(Kind::Policy, &wanted.name, None) });
        };
        let mut says = differences(&wanted.text, text);
        says.extend(nobody);
        if let Some(who) = who.filter(|_| is_callers)
            && !there.held.get(&who.arn).is_some_and(|held| held.attached.contains(&wanted.arn))
        {
            says.push(format!("it is not attached to {caller}"));
        }
        Finding::differing(Kind::Policy, &wanted.name, None, says)
    }

    /// What a member account has in a Region.
    async fn place(&self, member: &Member, account: &Account, region: &str) -> Found {
        let ssm = member.ssm(region);
        let (mut documents, rule) = join(self.documents(&ssm, region), self.rule(member, account, region)).await;
        documents.extend(rule);
        documents
    }

    async fn documents(&self, ssm: &Ssm, region: &str) -> Found {
        let choice = &self.groundwork.file.document;
        let mut found = Vec::new();
        for (wanted, operation) in self.documents.iter().zip([Operation::Seal, Operation::Restore]) {
            let reference = choice.reference(operation, &self.groundwork.partition, region);
            found.push(match ssm.document(&reference, choice.version(operation)).await {
                Err(error) if error.code == "InvalidDocument" => {
                    Some(Finding::missing(Kind::Document, &wanted.name, Some(region)))
                }
                Err(error) => Some(Finding::unread(Kind::Document, &wanted.name, Some(region), &error)),
                Ok(document) => {
                    let tree: Value = serde_norway::from_str(&document.content).unwrap_or_default();
                    let says = first_difference(&wanted.tree, &tree).map(|place| {
                        format!(
                            "the content of version {} differs from the shipped document, {place}",
                            document.version
                        )
                    });
                    Finding::differing(Kind::Document, &wanted.name, Some(region), says.into_iter().collect())
                }
            });
        }
        found
    }

    /// The rule that finds buckets. AWS Config makes no rule of an organization in the management account.
    async fn rule(&self, member: &Member, account: &Account, region: &str) -> Option<Option<Finding>> {
        if !self.groundwork.file.bootstrap.config_rule || account.id == self.organization.management_account {
            return None;
        }
        let name = "s3-default-encryption-kms";
        // Until one rule named the keys of all Regions: that rule calls a bucket compliant whose key S3 cannot use.
        let wanted: BTreeSet<String> = self.groundwork.keys_in(region).into_iter().collect();
        let rules = match member.encryption_rules(region).await {
            // The one of `remediation on` is another matter.
            Ok(rules) => rules.into_iter().filter(|(rule, _)| rule != RULE).collect::<Vec<_>>(),
            Err(error) => return Some(Some(Finding::unread(Kind::Rule, name, Some(region), &error))),
        };
        if rules.iter().any(|(_, keys)| *keys == wanted) {
            return Some(None);
        }
        let says: Vec<String> = rules
            .iter()
            .map(|(rule, keys)| {
                let more = keys.difference(&wanted).map(|key| format!("takes {key} for right"));
                let less = wanted.difference(keys).map(|key| format!("does not know {key}"));
                format!("{rule} {}", more.chain(less).collect::<Vec<_>>().join(", and "))
            })
            .collect();
        Some(Some(match says.is_empty() {
            true => Finding::missing(Kind::Rule, name, Some(region)),
            false => Finding { says, ..Finding::new(Kind::Rule, name, Some(region), State::Differs) },
        }))
    }

    /// What the security account alone has, as whoever looks after it sees it.
    async fn owned(&self, account: &Account) -> Found {
        if account.id != self.groundwork.security {
            return Vec::new();
        }
        let owner = match self.owner().await {
            Ok(owner) => owner,
            Err(error) => return vec![Some(Finding::unread(Kind::Account, "the security account", None, &error))],
        };
        let mut found = self.keys_found(&owner).await;
        if let Ok(Pieces { aggregator: Some(wanted), .. }) = self.groundwork.security_pieces() {
            let home = &self.groundwork.home_region;
            found.push(match owner.aggregator(home, PACK).await {
                Err(error) => Some(Finding::unread(Kind::Aggregator, wanted.name, Some(home), &error)),
                Ok(None) => Some(Finding::missing(Kind::Aggregator, wanted.name, Some(home))),
                Ok(Some((role, _))) if role == wanted.role_arn => None,
                Ok(Some((role, _))) => Finding::differing(
                    Kind::Aggregator,
                    wanted.name,
                    Some(home),
                    vec![match role.is_empty() {
                        true => "it does not aggregate the organization in all Regions".to_owned(),
                        false => format!("it aggregates the organization with {role} instead of {}", wanted.role_arn),
                    }],
                ),
            });
        }
        found
    }
}

/// A role against one that is there: trust, policies and boundary by meaning.
fn of_role(wanted: &RoleWanted, there: &Authorizations) -> Option<Finding> {
    let role = there.identities.principals.iter().find(|one| is_role(one, &wanted.name));
    let Some(role) = role else { return Some(Finding::missing(Kind::Role, &wanted.name, None)) };
    let mut says = Vec::new();
    if !role.arn.ends_with(&format!(":role{}{}", wanted.path, wanted.name)) {
        says.push(format!("its path is {}, and {PATH_IS_FIXED}", role.arn));
    }
    let part =
        |part: &str, said: Vec<String>| said.into_iter().map(|said| format!("{part}: {said}")).collect::<Vec<_>>();
    says.extend(part("trust", differences(&wanted.trust, role.trust.as_deref().unwrap_or_default())));
    let none = PrincipalPolicies::default();
    let held = there.held.get(&role.arn).unwrap_or(&none);
    for (name, text) in &wanted.inline {
        match held.inline.iter().find(|(known, _)| known == name) {
            Some((_, found)) => says.extend(part(&format!("policy {name}"), differences(text, found))),
            None => says.push(format!("policy {name} is missing")),
        }
    }
    let others = held.inline.iter().filter(|(name, _)| !wanted.inline.iter().any(|(wanted, _)| wanted == name));
    says.extend(others.map(|(name, _)| format!("policy {name} was not created by orgseal")));
    let lacking = wanted.attached.iter().filter(|arn| !held.attached.contains(arn));
    says.extend(lacking.map(|arn| format!("policy {arn} is not attached")));
    let others = held.attached.iter().filter(|arn| !wanted.attached.contains(arn));
    says.extend(others.map(|arn| format!("policy {arn} is attached, and was not created by orgseal")));
    match (&wanted.boundary, &held.boundary) {
        (None, Some(_)) => says.push("it has a permissions boundary that the campaign file does not define".to_owned()),
        (Some(arn), None) => says.push(format!("its permissions boundary {arn} is missing")),
        (Some(arn), Some(found)) if arn != found => {
            says.push(format!("its permissions boundary is {found} instead of {arn}"));
        }
        _ => {}
    }
    Finding::differing(Kind::Role, &wanted.name, None, says)
}

/// What was found of a role, with its longest session (`GetRole`): the account's summary does not show it. It is asked for only where
/// more than the least is wanted.
async fn with_session(member: &Member, wanted: &RoleWanted, found: Option<Finding>) -> Option<Finding> {
    let is_missing = found.as_ref().is_some_and(|finding| finding.state == State::Missing);
    if wanted.max_session <= LEAST_MAX_SESSION || is_missing {
        return found;
    }
    match member.role_made(&wanted.name).await {
        Ok(Some(made)) if made.max_session != wanted.max_session => {
            let mut finding = found.unwrap_or_else(|| Finding::new(Kind::Role, &wanted.name, None, State::Differs));
            finding.says.push(format!(
                "MaxSessionDuration is {} seconds, and member_role.session_duration asks for {}",
                made.max_session, wanted.max_session
            ));
            Some(finding)
        }
        Ok(_) => found,
        Err(error) => found.or_else(|| Some(Finding::unread(Kind::Role, &wanted.name, None, &error))),
    }
}

fn is_role(identity: &Identity, name: &str) -> bool {
    identity.arn.split(":role/").nth(1).is_some_and(|rest| rest.rsplit('/').next() == Some(name))
}

/// A fault of ours, where AWS's errors stand.
pub(super) fn fault(error: &dyn std::fmt::Display) -> AwsError {
    AwsError {
        code: "Unreadable".to_owned(),
        message: error.to_string(),
        hint: "this is a fault of orgseal: please report it".to_owned(),
    }
}
