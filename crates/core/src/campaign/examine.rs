//! A bucket that is not as wanted: does an exemption name it, in which wave does it go, and what do guards say of the change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::OnceCell;

use super::document::Document;
use super::fresh::{Fresh, is_older};
use super::{Campaign, CampaignError};
use crate::aws::{Member, S3};
use crate::config::Exemption;
use crate::event::Event;
use crate::judge::guards::{self, Guard, Need, Rollout, Subject};
use crate::ledger::{BucketEvent, BucketState};
use crate::model::{
    Account, AccountEvidence, AwsError, Bucket, DefaultEncryption, ExemptionNote, GuardFinding, Judgement, KeyArn,
    KeyEvidence, Reason, Verdict, now,
};
use crate::plan::{Change, Decision, PlannedBucket, suggest_iac};

/// What a Region of an account would change buckets with: read for a plan alone, since a rollout reads it when it is ready.
type Means = Result<Document, (Reason, AwsError)>;

/// An account while its buckets are looked at: what is read of it once.
pub(super) struct AccountLook {
    account: Account,
    /// The exemptions that name the account, by their place in the file.
    exemptions: Vec<usize>,
    /// What the approved plan says of its buckets; `None` where there is no plan.
    planned: Option<HashMap<String, PlannedBucket>>,
    evidence: Fresh<AccountEvidence>,
    /// orgseal's own roles in the account, and the control policies above it.
    pub(super) rollout: Fresh<Rollout>,
    means: Mutex<BTreeMap<String, Arc<OnceCell<Means>>>>,
}

/// What is to be said of a bucket that would be changed.
pub(super) enum Outlook {
    /// It is changed in this wave; guards said this.
    Planned { wave: u32, guards: Vec<GuardFinding>, guarded_at: Option<jiff::Timestamp> },
    /// It is not to be changed.
    Held(Reason, Option<AwsError>),
}

impl Campaign {
    /// What is known of an account before its buckets are looked at.
    pub(super) fn account_look(&self, account: &Account) -> Result<AccountLook, CampaignError> {
        let names = |exemption: &Exemption| exemption.names_account(account);
        let exemptions =
            self.exemptions.exemption.iter().enumerate().filter(|(_, one)| names(one)).map(|(at, _)| at).collect();
        let planned = match self.plan {
            None => None,
            Some(_) => {
                let (reader, run) = self.reader()?;
                let entries = reader.planned(&run, &account.id)?;
                let parsed =
                    entries.into_iter().filter_map(|(name, text)| Some((name, serde_json::from_str(&text).ok()?)));
                Some(parsed.collect())
            }
        };
        Ok(AccountLook {
            account: account.clone(),
            exemptions,
            planned,
            evidence: Fresh::default(),
            rollout: Fresh::default(),
            means: Mutex::default(),
        })
    }

    /// Lays the exemptions over a judgement. An exempt bucket is never called sealed, and a sealed one needs none.
    pub(super) async fn with_exemptions(
        &self,
        at: &AccountLook,
        s3: &S3,
        bucket: &Bucket,
        judgement: Judgement,
    ) -> (Judgement, Option<AwsError>, Option<Box<ExemptionNote>>) {
        if at.exemptions.is_empty() || !matches!(judgement.verdict, Verdict::NotSealed | Verdict::Held) {
            return (judgement, None, None);
        }
        let today = TimeZone::UTC.to_datetime(now()).date();
        let mut tags = None;
        for &index in &at.exemptions {
            let exemption = &self.exemptions.exemption[index];
            if exemption.is_over(today) {
                continue;
            }
            let names = match exemption.names_bucket(bucket, None) {
                Some(names) => names,
                None => {
                    if tags.is_none() {
                        tags = Some(s3.tags(&bucket.name).await);
                    }
                    match tags.as_ref() {
                        Some(Ok(tags)) => exemption.names_bucket(bucket, Some(tags)).unwrap_or(false),
                        // Unknown is not "not exempt": a team may have said no.
                        Some(Err(error)) => {
                            let unclear = held(judgement, Reason::ExemptionUnclear);
                            return (unclear, Some(error.clone()), None);
                        }
                        None => false,
                    }
                }
            };
            if names {
                let note = ExemptionNote {
                    number: index + 1,
                    reason: exemption.reason.clone(),
                    owner: exemption.owner.clone(),
                    ticket: exemption.ticket.clone(),
                    until: exemption.until,
                };
                let exempt =
                    Judgement { verdict: Verdict::Exempt, reason: Reason::Exempted, observed: Some(judgement.reason) };
                return (exempt, None, Some(Box::new(note)));
            }
        }
        (judgement, None, None)
    }

    /// What is to become of a bucket that waits for its change: by the approved plan where there is one, else by waves and guards.
    pub(super) async fn outlook(
        &self,
        at: &AccountLook,
        member: &Member,
        bucket: &Bucket,
        found: &DefaultEncryption,
    ) -> Outlook {
        if let Some(planned) = &at.planned {
            return self.by_plan(planned.get(&bucket.name), bucket, found);
        }
        let Some(wave) = self.population.get().and_then(|population| population.waves.of(bucket)) else {
            let error = AwsError {
                code: "InNoWave".to_owned(),
                message: format!("no wave of the campaign file takes {} of account {}", bucket.name, bucket.account),
                hint: "name it in [[waves]]; accounts_percent = 100 takes all that is left".to_owned(),
            };
            return Outlook::Held(Reason::InNoWave, Some(error));
        };
        // A key that the account cannot use explains more than any guard could find.
        // A rollout reads the document when the account is ready to start; until then others need not wait for it.
        let fit = match self.plans || self.audits_guards {
            true => self.means_fit(at, member, bucket, found).await,
            false => self.key_serves(member, bucket).await,
        };
        if let Err((reason, error)) = fit {
            return Outlook::Held(reason, Some(error));
        }
        let (guards, guarded_at) = self.guard(at, member, bucket, found).await;
        Outlook::Planned { wave, guards, guarded_at }
    }

    /// What the approved plan says of a bucket: nothing that differs is changed.
    fn by_plan(&self, planned: Option<&PlannedBucket>, bucket: &Bucket, found: &DefaultEncryption) -> Outlook {
        let differs = |what: String| {
            let error = AwsError {
                code: "DiffersFromPlan".to_owned(),
                message: format!("{} of account {}: {what}", bucket.name, bucket.account),
                hint: "make a new plan, and have it approved".to_owned(),
            };
            Outlook::Held(Reason::DiffersFromPlan, Some(error))
        };
        let Some(planned) = planned else { return Outlook::Held(Reason::NotInPlan, None) };
        let guarded = planned.guards.iter().any(GuardFinding::holds);
        let wave = match (planned.decision, planned.wave) {
            (Decision::Change, Some(wave)) => wave,
            // What the plan held stays held, for the plan's reason and with its evidence.
            (Decision::Hold, _) if guarded => {
                let wave = self.population.get().and_then(|population| population.waves.of(bucket));
                let (guards, guarded_at) = (planned.guards.clone(), planned.guarded_at);
                return Outlook::Planned { wave: wave.unwrap_or(1), guards, guarded_at };
            }
            (Decision::Hold, _) => return Outlook::Held(planned.reason, planned.error.clone()),
            _ => return Outlook::Held(Reason::NotInPlan, None),
        };
        if planned.region != bucket.region {
            return differs(format!("it is in {}, and the plan saw it in {}", bucket.region, planned.region));
        }
        if !planned.found.as_ref().is_some_and(|then| found.is_as_recorded(then)) {
            return differs("its default encryption is not what the plan saw".to_owned());
        }
        let rule = self.wanted(bucket).map(|wanted| wanted.rule(found));
        let same = match (&rule, &planned.rule) {
            (Some(now), Some(then)) => now.is_as_recorded(then),
            (now, then) => now.is_none() && then.is_none(),
        };
        if !same {
            return differs("what it would get is not what the plan says".to_owned());
        }
        Outlook::Planned { wave, guards: planned.guards.clone(), guarded_at: planned.guarded_at }
    }

    /// Whether what would change a bucket is there and fit: the document and the key, looked at once per account and Region.
    async fn means_fit(
        &self,
        at: &AccountLook,
        member: &Member,
        bucket: &Bucket,
        found: &DefaultEncryption,
    ) -> Result<(), (Reason, AwsError)> {
        let means = self.means(at, member, bucket).await;
        let document = means.as_ref().as_ref().map_err(Clone::clone)?;
        let Some(wanted) = self.wanted(bucket) else { return Ok(()) };
        let rule = wanted.rule(found);
        let role = self.automation_role(&bucket.account);
        let change = Change { bucket, automation_role: &role, rule: &rule };
        self.planned_start(document, &change, found).map(drop)
    }

    /// Whether a Region's key can be used, and by the account; asked once per account and Region.
    async fn key_serves(&self, member: &Member, bucket: &Bucket) -> Result<(), (Reason, AwsError)> {
        if let Some(fault) = self.key_fault(&bucket.account, &bucket.region).await {
            return Err((Reason::KeyNotUsable, fault));
        }
        self.key_proof(member, &bucket.region, &bucket.name).await
    }

    async fn means(&self, at: &AccountLook, member: &Member, bucket: &Bucket) -> Arc<Means> {
        let cell = {
            let mut means = at.means.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(means.entry(bucket.region.clone()).or_default())
        };
        let read = async {
            self.key_serves(member, bucket).await?;
            let ssm = member.ssm(&bucket.region);
            let document = self.document(&ssm, &bucket.region).await;
            let document = document.map_err(|error| (Reason::DocumentNotUsable, error))?;
            if self.plans {
                // For whoever compares with the console or the AWS CLI. The plan is made without it where the role may not read it.
                let aws_hash = ssm.document_hash(&document.reference, &document.version).await;
                self.plan_documents.note(bucket, &document, aws_hash);
            }
            Ok(document)
        };
        Arc::new(cell.get_or_init(|| Box::pin(read)).await.clone())
    }

    /// What guards say of the change of a bucket, and when the oldest of what they looked at was read (`None`: now). Reads what
    /// those in force need, and of an account or key nothing twice before it is older than `guards.max_age`.
    pub(super) async fn guard(
        &self,
        at: &AccountLook,
        member: &Member,
        bucket: &Bucket,
        found: &DefaultEncryption,
    ) -> (Vec<GuardFinding>, Option<Timestamp>) {
        let (Some(wanted), Some(population)) = (self.wanted(bucket), self.population.get()) else {
            return (Vec::new(), None);
        };
        let ruling = |guard: &dyn Guard| self.file.guards.ruling(guard, bucket);
        let needs = guards::needs(ruling);
        // What is read for all buckets of the account must serve whichever of them comes next.
        let shared = self.file.guards.needs_somewhere();
        let max_age = self.file.guards.max_age();
        let (evidence, (account, account_at), (key, key_at), rollout) = futures::join!(
            Box::pin(member.bucket_evidence(bucket, &needs)),
            at.evidence.get(max_age, Box::pin(account_evidence(member, &shared))),
            Box::pin(self.guard_key(&wanted.key, &needs, max_age)),
            Box::pin(self.guard_rollout(at, &needs, max_age)),
        );
        let others = key_at.into_iter().chain(rollout.as_ref().map(|(_, read_at)| *read_at));
        let read_at = others.fold(account_at, Timestamp::min);
        let rule = wanted.rule(found);
        let mut terms = self.file.guards.terms();
        // Roles of ours read and write no objects.
        terms.ignored_principals.extend(self.own_roles(&bucket.account));
        if let (true, Some(Ok(tags))) = (self.options.suggest_code, &evidence.tags)
            && let Some(code) = suggest_iac(bucket, tags, &terms.owner_tags, &rule)
        {
            self.plan_documents.suggest(bucket, code);
        }
        let subject = Subject {
            bucket,
            partition: &self.aws.caller().partition,
            found,
            rule: &rule,
            evidence: &evidence,
            account: &account,
            key: &key,
            organization: &population.organization,
            rollout: rollout.as_ref().map(|(rollout, _)| rollout),
            terms: &terms,
        };
        let found = guards::look(&subject, ruling);
        if self.plans {
            self.plan_documents.note_principals(bucket, &found);
        }
        for warning in guards::account_warnings(&subject, ruling) {
            let message =
                format!("account {}: {} ({}): {}", bucket.account, warning.says, warning.principal, warning.hint);
            // A plan has them in the file.
            if self.plan_documents.warn(&bucket.account, warning) && !self.plans {
                self.events.emit(&Event::Warning { message });
            }
        }
        (found, Some(read_at))
    }

    async fn guard_rollout(
        &self,
        at: &AccountLook,
        needs: &BTreeSet<Need>,
        max_age: Duration,
    ) -> Option<(Rollout, Timestamp)> {
        match needs.contains(&Need::ControlPolicies) {
            true => Some(self.rollout(at, max_age).await),
            false => None,
        }
    }

    async fn guard_key(
        &self,
        key: &KeyArn,
        needs: &BTreeSet<Need>,
        max_age: Duration,
    ) -> (KeyEvidence, Option<Timestamp>) {
        if !needs.contains(&Need::KeyPolicy) {
            return (KeyEvidence::default(), None);
        }
        let (policy, at) = self.key_proofs.policy(key, max_age).await;
        (KeyEvidence { policy: Some(policy) }, Some(at))
    }

    /// Whether what guards said of a bucket is too old to start on, or was a hold that somebody may have put right.
    pub(super) fn guards_are_stale(&self, state: &BucketState) -> bool {
        let max_age = self.file.guards.max_age();
        state.guarded_at.is_none_or(|at| is_older(at, max_age)) || state.guards.iter().any(GuardFinding::holds)
    }
}

/// What guards look at of an account, read for all of its buckets: users and roles are many.
async fn account_evidence(member: &Member, needs: &BTreeSet<Need>) -> AccountEvidence {
    let identities = async {
        match needs.contains(&Need::Identities) {
            true => Some(member.identities().await.map(Arc::new)),
            false => None,
        }
    };
    let block = async {
        match needs.contains(&Need::AccountPublicAccessBlock) {
            true => Some(member.public_access_block().await),
            false => None,
        }
    };
    let (identities, public_access_block) = futures::join!(identities, block);
    AccountEvidence { identities, public_access_block }
}

/// A judgement turned into a hold, with what lies beneath.
pub(super) fn held(judgement: Judgement, reason: Reason) -> Judgement {
    Judgement { verdict: Verdict::Held, reason, observed: Some(judgement.observed.unwrap_or(judgement.reason)) }
}

/// The hold as an event of the bucket's life.
pub(super) fn hold(
    judgement: Judgement,
    reason: Reason,
    found: DefaultEncryption,
    error: Option<AwsError>,
) -> BucketEvent {
    BucketEvent::Judged {
        judgement: held(judgement, reason),
        encryption: Some(found),
        error,
        restore: None,
        exemption: None,
    }
}

impl AccountLook {
    /// The hash of the document that the approved plan saw in a Region.
    pub(super) fn planned_document(&self, region: &str) -> Option<&str> {
        let mut buckets = self.planned.as_ref()?.values();
        buckets.find(|bucket| bucket.region == region && bucket.document_sha256.is_some())?.document_sha256.as_deref()
    }

    /// The account.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }
}
