//! Takes away what bears our tag. Never a key.

use orgseal_core::aws::Member;
use orgseal_core::event::Event;
use orgseal_core::model::{Account, AwsError};
use serde::Serialize;

use super::put::pack_is_ours;
use super::remediation::RULE;
use super::{Kind, Site, SiteError};
use crate::pieces::PACK;

/// A piece that was taken away, is to be, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Twelve digits.
    pub account: String,
    /// Where it is of a Region.
    pub region: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Why it is still there.
    pub error: Option<AwsError>,
}

impl Site {
    /// What there is to be taken away: roles, policies, documents, the aggregator and the pack that bear our tag. An account that
    /// cannot be looked at is in it with its error.
    pub async fn ours(&self) -> Result<Vec<Taken>, SiteError> {
        self.taking(false).await
    }

    /// Takes it away.
    pub async fn take(&self) -> Result<Vec<Taken>, SiteError> {
        self.taking(true).await
    }

    async fn taking(&self, take: bool) -> Result<Vec<Taken>, SiteError> {
        // What the campaign file makes no more may have been made once.
        let site = Site { groundwork: self.groundwork.with_everything(), ..self.clone() };
        site.began();
        let mut taken = Vec::new();
        let active = site.accounts.iter().filter(|account| account.is_active()).cloned();
        // The security account goes last: whoever is in there by its policies would saw off the branch.
        let (last, first): (Vec<Account>, Vec<Account>) =
            active.partition(|account| account.id == site.groundwork.security);
        let has_security = !last.is_empty();
        taken.extend(site.take_in(first, take).await);
        if has_security && !site.stop.is_cancelled() {
            taken.extend(site.take_rules(take).await);
        }
        // Whoever is not the management account may not see them, and did not make them.
        if site.aws.caller().account == site.organization.management_account && !site.stop.is_cancelled() {
            taken.extend(site.take_guardrails(take).await);
        }
        taken.extend(site.take_in(last, take).await);
        taken.sort_by(|a, b| (&a.account, a.kind, &a.region, &a.name).cmp(&(&b.account, b.kind, &b.region, &b.name)));
        site.ended();
        Ok(taken)
    }

    async fn take_in(&self, accounts: Vec<Account>, take: bool) -> Vec<Taken> {
        let unknown = |account: &Account, error: AwsError| {
            let (account, name) = (account.id.clone(), self.through().to_owned());
            vec![Taken { account, region: None, kind: Kind::Account, name, error: Some(error) }]
        };
        let work = move |site: Site, account: Account| async move { site.take_account(&account, take).await };
        self.each(accounts, work, unknown).await.into_iter().flatten().collect()
    }

    async fn take_account(&self, account: &Account, take: bool) -> Vec<Taken> {
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        let piece = |kind, name: &str, region: Option<&str>, error| Taken {
            account: account.id.clone(),
            region: region.map(str::to_owned),
            kind,
            name: name.to_owned(),
            error,
        };
        let member = match self.enter_to_change(&account.id).await {
            Ok(member) => member,
            Err(error) => {
                self.events.emit(&Event::AccountUnread { account: account.clone(), error: error.clone() });
                return vec![piece(Kind::Account, self.through(), None, Some(error))];
            }
        };
        let mut taken = Vec::new();
        let mut note = |kind, name: &str, region: Option<&str>, outcome: Result<bool, AwsError>| match outcome {
            Ok(false) => {}
            Ok(true) => taken.push(piece(kind, name, region, None)),
            Err(error) => taken.push(piece(kind, name, region, Some(error))),
        };
        let mut pieces = self.groundwork.account_pieces(&account.id).unwrap_or_default();
        for document in self.documents.iter() {
            for region in &self.regions {
                let outcome = take_document(&member, region, &document.name, take).await;
                note(Kind::Document, &document.name, Some(region), outcome);
            }
        }
        for region in &self.regions {
            note(Kind::Rule, RULE, Some(region), take_remediation(&member, region, take).await);
        }
        // The role by which we are in goes last.
        let through = self.through().rsplit('/').next().unwrap_or_default().to_owned();
        pieces.roles.sort_by_key(|role| role.name == through);
        for role in &pieces.roles {
            let outcome = take_role(&member, &role.name, take).await;
            note(Kind::Role, &role.name, None, outcome);
        }
        for policy in &pieces.policies {
            let outcome = take_policy(&member, &policy.arn, take).await;
            note(Kind::Policy, &policy.name, None, outcome);
        }
        self.events.emit(&Event::AccountRead { account: account.clone(), buckets: 0 });
        taken
    }

    /// The pack and the aggregator, if they are ours.
    async fn take_rules(&self, take: bool) -> Vec<Taken> {
        let piece = |kind, region: &str, error| Taken {
            account: self.groundwork.security.clone(),
            region: Some(region.to_owned()),
            kind,
            name: PACK.to_owned(),
            error,
        };
        let home = &self.groundwork.home_region;
        let owner = match self.owner().await {
            Ok(owner) => owner,
            Err(error) => return vec![piece(Kind::Aggregator, home, Some(error))],
        };
        let mut taken = Vec::new();
        let mut note = |kind, region: &str, outcome: Result<bool, AwsError>| match outcome {
            Ok(false) => {}
            Ok(true) => taken.push(piece(kind, region, None)),
            Err(error) => taken.push(piece(kind, region, Some(error))),
        };
        for region in &self.regions {
            note(Kind::Rule, region, take_pack(&owner, region, take).await);
        }
        let outcome = take_aggregator(&owner, home, take).await;
        note(Kind::Aggregator, home, outcome);
        taken
    }
}

/// A rule of this name is ours, and so is the remediation that hangs on it.
async fn take_remediation(member: &Member, region: &str, take: bool) -> Result<bool, AwsError> {
    let rules = member.encryption_rules(region).await?;
    let ours = rules.iter().any(|(name, _)| name == RULE);
    if ours && take {
        member.delete_remediation(region, RULE).await?;
        member.delete_rule(region, RULE).await?;
    }
    Ok(ours)
}

async fn take_pack(owner: &Member, region: &str, take: bool) -> Result<bool, AwsError> {
    let ours = owner.organization_pack(region, PACK).await?.is_some() && pack_is_ours(owner, region).await?;
    if ours && take {
        owner.delete_organization_pack(region, PACK).await?;
    }
    Ok(ours)
}

async fn take_aggregator(owner: &Member, region: &str, take: bool) -> Result<bool, AwsError> {
    let Some((_, arn)) = owner.aggregator(region, PACK).await? else { return Ok(false) };
    let ours = owner.aggregator_is_ours(region, &arn).await?;
    if ours && take {
        owner.delete_aggregator(region, PACK).await?;
    }
    Ok(ours)
}

async fn take_role(member: &Member, name: &str, take: bool) -> Result<bool, AwsError> {
    let ours = member.role_made(name).await?.is_some_and(|role| role.ours);
    if ours && take {
        member.delete_role(name).await?;
    }
    Ok(ours)
}

async fn take_policy(member: &Member, arn: &str, take: bool) -> Result<bool, AwsError> {
    let ours = member.policy_made(arn).await?.is_some_and(|policy| policy.ours);
    if ours && take {
        member.delete_policy(arn).await?;
    }
    Ok(ours)
}

async fn take_document(member: &Member, region: &str, name: &str, take: bool) -> Result<bool, AwsError> {
    let ssm = member.ssm(region);
    let Some(made) = ssm.document_made(name).await?.filter(|made| made.ours) else { return Ok(false) };
    if take {
        ssm.delete_document(name, &made.shared).await?;
    }
    Ok(true)
}
