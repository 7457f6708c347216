//! Puts right what a look found: makes what is missing, changes what differs, and leaves alone what somebody else made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use orgseal_core::aws::Member;
use orgseal_core::aws::make::{RoleMade, RoleWanted};
use orgseal_core::campaign::fail_point;
use orgseal_core::event::Event;
use orgseal_core::model::{Account, AwsError, KeyArn};
use serde::Serialize;
use tokio::time::Instant;

use super::look::fault;
use super::settle::{self, FIRST_WAIT, IAM_BOUND};
use super::{AccountFound, Compared, Finding, Kind, Site, SiteError, State};
use crate::cloudformation::conformance_pack;
use crate::meaning::differences;
use crate::pieces::{AggregatorWanted, CALLERS, DocumentWanted, PACK, PACK_RULE, Pieces, PolicyWanted};

/// AWS Config takes minutes to make a pack in every account.
const PACK_LOOKS: u32 = 60;
/// So many Regions' packs are waited for at once.
const PACKS_AT_ONCE: usize = 8;
/// IAM's changes take seconds to be known everywhere.
const AGGREGATOR_TRIES: u32 = 6;
const BETWEEN_TRIES: Duration = Duration::from_secs(3);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not there, and is now.
    Made,
    /// It is now as it is to be.
    Changed,
    /// It is there, does not bear our tag, and was left alone.
    NotOurs,
    /// It did not work.
    Failed(AwsError),
}

/// What was done about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Twelve digits.
    pub account: String,
    /// Where it is of a Region.
    pub region: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Done {
    fn of(account: &str, finding: &Finding, outcome: Result<Outcome, AwsError>) -> Done {
        Done {
            account: account.to_owned(),
            region: finding.region.clone(),
            kind: finding.kind,
            name: finding.name.clone(),
            outcome: outcome.unwrap_or_else(Outcome::Failed),
        }
    }
}

impl Site {
    /// Puts right what was found. `adopt`: also what does not bear our tag. Each piece is tried; one that fails stops no other.
    pub async fn put(&self, compared: &Compared, adopt: bool) -> Result<Vec<Done>, SiteError> {
        self.began();
        let mut done = self.shared_documents(compared, adopt).await?;
        let found: BTreeMap<String, AccountFound> =
            compared.accounts.iter().map(|account| (account.id.clone(), account.clone())).collect();
        let accounts: Vec<Account> = self.accounts.iter().filter(|one| found.contains_key(&one.id)).cloned().collect();
        let unknown = |account: &Account, error: AwsError| {
            let of_account = Finding::new(Kind::Account, self.through(), None, State::Unread);
            vec![Done::of(&account.id, &of_account, Err(error))]
        };
        let each = self.each(
            accounts,
            |site, account| {
                let found = found.get(&account.id).map(|found| found.findings.clone()).unwrap_or_default();
                async move { site.put_account(&account, &found, adopt).await }
            },
            unknown,
        );
        done.extend(each.await.into_iter().flatten());
        if !self.stop.is_cancelled() {
            done.extend(self.put_packs(compared, adopt).await);
        }
        done.sort_by(|a, b| (&a.account, a.kind, &a.region, &a.name).cmp(&(&b.account, b.kind, &b.region, &b.name)));
        self.ended();
        Ok(done)
    }

    async fn put_account(&self, account: &Account, findings: &[Finding], adopt: bool) -> Vec<Done> {
        fail_point("bootstrap_put");
        let shared = self.groundwork.file.document.owner.is_some();
        let mut findings: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.state != State::Unread && finding.kind != Kind::Rule)
            .filter(|finding| !(shared && finding.kind == Kind::Document))
            .filter(|finding| is_put(finding))
            .collect();
        // A boundary is there before the role that it bounds, a role before the aggregator that uses it.
        findings.sort_by_key(|finding| finding.kind);
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        if findings.is_empty() {
            self.events.emit(&Event::AccountRead { account: account.clone(), buckets: 0 });
            return Vec::new();
        }
        let pieces = self.groundwork.account_pieces(&account.id).map_err(|error| fault(&error));
        let entered = match pieces {
            Ok(pieces) => self.enter_to_change(&account.id).await.map(|member| (member, pieces)),
            Err(error) => Err(error),
        };
        let (member, pieces) = match entered {
            Ok(entered) => entered,
            Err(error) => {
                self.events.emit(&Event::AccountUnread { account: account.clone(), error: error.clone() });
                return findings
                    .into_iter()
                    .map(|finding| Done::of(&account.id, finding, Err(error.clone())))
                    .collect();
            }
        };
        let mut done = Vec::new();
        for finding in findings {
            if self.stop.is_cancelled() {
                break;
            }
            let outcome = self.put_piece(&member, &pieces, finding, adopt).await;
            done.push(Done::of(&account.id, finding, outcome));
        }
        self.events.emit(&Event::AccountRead { account: account.clone(), buckets: 0 });
        done
    }

    async fn put_piece(
        &self,
        member: &Member,
        pieces: &Pieces,
        finding: &Finding,
        adopt: bool,
    ) -> Result<Outcome, AwsError> {
        let name = &finding.name;
        let region = finding.region.as_deref().unwrap_or(&self.groundwork.home_region);
        match finding.kind {
            Kind::Role => match pieces.roles.iter().find(|role| role.name == *name) {
                Some(role) => self.put_role(member, role, adopt).await,
                None => Err(unknown(finding)),
            },
            Kind::Policy => match pieces.policies.iter().find(|policy| policy.name == *name) {
                Some(policy) => self.put_policy(member, policy, adopt).await,
                None => Err(unknown(finding)),
            },
            Kind::Document => match self.documents.iter().find(|document| document.name == *name) {
                Some(document) => put_document(member, region, document, adopt).await,
                None => Err(unknown(finding)),
            },
            Kind::Aggregator => {
                let Some(wanted) = &pieces.aggregator else { return Err(unknown(finding)) };
                if let Some((_, arn)) = member.aggregator(region, &wanted.name).await?
                    && !member.aggregator_is_ours(region, &arn).await?
                {
                    if !adopt {
                        return Ok(Outcome::NotOurs);
                    }
                    member.tag_aggregator(region, &arn).await?;
                }
                self.put_aggregator(member, region, wanted).await?;
                Ok(made_or_changed(finding))
            }
            Kind::KeyPolicy => {
                let Some(key) = self.key(name, region) else { return Err(unknown(finding)) };
                if !adopt && !member.key_is_ours(key).await? {
                    return Ok(Outcome::NotOurs);
                }
                member.put_key_policy(key, &self.groundwork.key_policy()).await?;
                Ok(Outcome::Changed)
            }
            Kind::KeyRotation => {
                let Some(key) = self.key(name, region) else { return Err(unknown(finding)) };
                if !adopt && !member.key_is_ours(key).await? {
                    return Ok(Outcome::NotOurs);
                }
                member.rotate_key(key).await?;
                Ok(Outcome::Changed)
            }
            Kind::KeyAlias if finding.state == State::Missing => {
                let key = self.groundwork.file.keys().get(region).cloned();
                let Some(key) = key else { return Err(unknown(finding)) };
                member.create_alias(&key, name).await?;
                Ok(Outcome::Made)
            }
            Kind::KeyAlias | Kind::Key | Kind::Account | Kind::Rule | Kind::Guardrail => Err(unknown(finding)),
        }
    }

    /// A role that was just created is not known to AWS Config for some seconds.
    async fn put_aggregator(&self, member: &Member, region: &str, wanted: &AggregatorWanted) -> Result<(), AwsError> {
        let mut tries = 0;
        loop {
            match member.put_aggregator(region, &wanted.name, &wanted.role_arn).await {
                Err(error) if error.code.starts_with("InvalidRole") && tries < AGGREGATOR_TRIES => {
                    tries += 1;
                    tokio::select! {
                        () = tokio::time::sleep(BETWEEN_TRIES) => {}
                        () = self.stop.cancelled() => return Err(error),
                    }
                }
                outcome => return outcome,
            }
        }
    }

    async fn put_role(&self, member: &Member, role: &RoleWanted, adopt: bool) -> Result<Outcome, AwsError> {
        let made = match member.role_made(&role.name).await? {
            Some(made) => made,
            None => match member.create_role(role).await {
                // A deployment that was cut short created it, and IAM's reads do not show it yet.
                Err(error) if error.code.starts_with("EntityAlreadyExists") => {
                    self.appeared(member, &role.name, error).await?
                }
                outcome => return outcome.map(|()| Outcome::Made),
            },
        };
        if !made.ours {
            if !adopt {
                return Ok(Outcome::NotOurs);
            }
            member.tag_role(&role.name).await?;
        }
        member.update_role(role, &made).await.map(|()| Outcome::Changed)
    }

    /// A role that exists and that IAM's reads do not show yet, once they do; `error` where they do not within the bound.
    async fn appeared(&self, member: &Member, name: &str, error: AwsError) -> Result<RoleMade, AwsError> {
        let until = Instant::now() + IAM_BOUND;
        let mut wait = FIRST_WAIT;
        while Instant::now() < until {
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(settle::LONGEST_WAIT),
                () = self.stop.cancelled() => return Err(interrupted(name)),
            }
            if let Some(made) = member.role_made(name).await? {
                return Ok(made);
            }
        }
        Err(error)
    }

    fn key(&self, id: &str, region: &str) -> Option<&KeyArn> {
        self.groundwork.keys.iter().find(|key| key.id == id && key.region == region)
    }

    async fn put_policy(&self, member: &Member, wanted: &PolicyWanted, adopt: bool) -> Result<Outcome, AwsError> {
        let outcome = match member.policy_made(&wanted.arn).await? {
            None => {
                member.create_policy(&wanted.name, &wanted.description, &wanted.text).await?;
                Outcome::Made
            }
            Some(made) if !made.ours && !adopt => return Ok(Outcome::NotOurs),
            Some(made) => {
                if !made.ours {
                    member.tag_policy(&wanted.arn).await?;
                }
                if !differences(&wanted.text, &made.document).is_empty() {
                    member.update_policy(&wanted.arn, &wanted.text).await?;
                }
                Outcome::Changed
            }
        };
        if wanted.name == CALLERS
            && let Some((kind, caller)) = self.groundwork.file.bootstrap.caller.split_once('/')
        {
            let caller = caller.rsplit('/').next().unwrap_or(caller);
            member.attach_policy(kind == "user", caller, &wanted.arn).await?;
        }
        Ok(outcome)
    }

    /// Documents of one owner: made in the owner's account, and shared with every account that lacks them.
    async fn shared_documents(&self, compared: &Compared, adopt: bool) -> Result<Vec<Done>, SiteError> {
        let Some(owner) = self.groundwork.file.document.owner.clone() else { return Ok(Vec::new()) };
        let lacking: BTreeSet<(&str, &str)> = compared
            .findings()
            .filter(|(_, finding)| finding.kind == Kind::Document && finding.state != State::Unread)
            .filter_map(|(_, finding)| Some((finding.region.as_deref()?, finding.name.as_str())))
            .collect();
        if lacking.is_empty() {
            return Ok(Vec::new());
        }
        let entered = self.enter_to_change(&owner).await;
        let mut done = Vec::new();
        for (region, name) in lacking {
            let outcome = match (&entered, self.documents.iter().find(|document| document.name == name)) {
                (Ok(member), Some(document)) => self.put_shared(member, &owner, region, document, adopt).await,
                (Err(error), _) => Err(error.clone()),
                (_, None) => continue,
            };
            done.push(Done::of(&owner, &Finding::missing(Kind::Document, name, Some(region)), outcome));
        }
        Ok(done)
    }

    async fn put_shared(
        &self,
        member: &Member,
        owner: &str,
        region: &str,
        document: &DocumentWanted,
        adopt: bool,
    ) -> Result<Outcome, AwsError> {
        let ssm = member.ssm(region);
        let outcome = put_document(member, region, document, adopt).await?;
        if outcome == Outcome::NotOurs {
            return Ok(outcome);
        }
        let shared = ssm.document_made(&document.name).await?.map(|made| made.shared).unwrap_or_default();
        let others = self.accounts.iter().filter(|account| account.is_active() && account.id != owner);
        let lacking: Vec<String> = others.map(|account| account.id.clone()).filter(|id| !shared.contains(id)).collect();
        ssm.share_document(&document.name, &lacking).await?;
        Ok(outcome)
    }

    /// The organization's conformance pack, in every Region in which a rule is not as it is to be.
    async fn put_packs(&self, compared: &Compared, adopt: bool) -> Vec<Done> {
        // It is the whole organization's: no part of it can be had for a few accounts.
        if self.narrowed {
            return Vec::new();
        }
        let rules =
            compared.findings().filter(|(_, finding)| finding.kind == Kind::Rule && finding.state != State::Unread);
        let regions: BTreeSet<&str> = rules.filter_map(|(_, finding)| finding.region.as_deref()).collect();
        if regions.is_empty() {
            return Vec::new();
        }
        let owner = self.owner().await;
        // AWS Config takes minutes for each Region, so several are waited for at once.
        let each = stream::iter(regions).map(|region| {
            let owner = &owner;
            async move {
                let finding = Finding::missing(Kind::Rule, format!("conformance pack {PACK}"), Some(region));
                let outcome = match (self.without_keys(Some(region)), owner) {
                    (Some(error), _) => Err(error),
                    (None, Ok(owner)) => self.put_pack(owner, region, adopt).await,
                    (None, Err(error)) => Err(error.clone()),
                };
                Done::of(&self.groundwork.security, &finding, outcome)
            }
        });
        each.buffered(PACKS_AT_ONCE).collect().await
    }

    async fn put_pack(&self, owner: &Member, region: &str, adopt: bool) -> Result<Outcome, AwsError> {
        let there = owner.organization_pack(region, PACK).await?;
        if there.is_some() && !adopt && !pack_is_ours(owner, region).await? {
            return Ok(Outcome::NotOurs);
        }
        owner
            .put_organization_pack(region, PACK, &conformance_pack(&self.groundwork, region), &self.left_out())
            .await?;
        let mut wait = Duration::from_millis(500);
        for _ in 0..PACK_LOOKS {
            match owner.organization_pack(region, PACK).await? {
                Some((status, _)) if status.ends_with("_SUCCESSFUL") => {
                    return Ok(if there.is_some() { Outcome::Changed } else { Outcome::Made });
                }
                Some((status, why)) if status.ends_with("_FAILED") => {
                    return Err(AwsError {
                        code: status,
                        message: format!("the organization's conformance pack {PACK} in {region}: {why}"),
                        hint: "aws configservice get-organization-conformance-pack-detailed-status names each account that failed; \
                               AWS Config must record in all of them"
                            .to_owned(),
                    });
                }
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = self.stop.cancelled() => break,
            }
        }
        Err(AwsError {
            code: "Timeout".to_owned(),
            message: format!("the organization's conformance pack {PACK} in {region} is still being created"),
            hint: "AWS Config continues to create it: check later with `orgseal bootstrap diff`".to_owned(),
        })
    }
}

/// Whether a finding is one that a deployment mends. Keys are made before all else; a disabled key and an alias that is another
/// key's are for a person.
#[must_use]
pub fn is_put(finding: &Finding) -> bool {
    match (finding.kind, finding.state) {
        (_, State::Unread) | (Kind::Key | Kind::Account, _) => false,
        (Kind::KeyAlias, state) => state == State::Missing,
        _ => true,
    }
}

/// A pack bears no tag: ours is known by its rule, which it makes in the security account too.
pub(super) async fn pack_is_ours(owner: &Member, region: &str) -> Result<bool, AwsError> {
    let rules = owner.encryption_rules(region).await?;
    Ok(rules.iter().any(|(name, _)| name.starts_with(PACK_RULE)))
}

fn made_or_changed(finding: &Finding) -> Outcome {
    if finding.state == State::Missing { Outcome::Made } else { Outcome::Changed }
}

async fn put_document(
    member: &Member,
    region: &str,
    document: &DocumentWanted,
    adopt: bool,
) -> Result<Outcome, AwsError> {
    let ssm = member.ssm(region);
    match ssm.document_made(&document.name).await? {
        None => ssm.create_document(&document.name, document.yaml).await.map(|()| Outcome::Made),
        Some(made) if !made.ours && !adopt => Ok(Outcome::NotOurs),
        Some(made) => {
            if !made.ours {
                ssm.tag_document(&document.name).await?;
            }
            ssm.update_document(&document.name, document.yaml).await.map(|_| Outcome::Changed)
        }
    }
}

fn interrupted(role: &str) -> AwsError {
    AwsError {
        code: "Interrupted".to_owned(),
        message: format!("role {role} exists, and IAM did not show it before the deployment was interrupted"),
        hint: "run `orgseal bootstrap deploy` again".to_owned(),
    }
}

fn unknown(finding: &Finding) -> AwsError {
    fault(&format!("the campaign file defines no {} {}", finding.kind.title(), finding.name))
}
