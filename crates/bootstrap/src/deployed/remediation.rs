//! AWS Config's automatic remediation with the document that seals: for accounts whose campaign is over, and never on a bucket that
//! is held, exempt or rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use orgseal_core::aws::make::RemediationWanted;
use orgseal_core::aws::{Member, Purpose};
use orgseal_core::event::Event;
use orgseal_core::model::{Account, AwsError, Bucket, DefaultEncryption, EncryptionRule, Operation, role_arn};
use orgseal_core::plan::{Change, Runbook};
use serde::Serialize;

use super::look::fault;
use super::{Site, SiteError};

/// The rule of an account's own whose findings are remedied.
pub const RULE: &str = "orgseal-seal-by-itself";
/// What stands for the bucket while the document's parameters are found.
const ANY_BUCKET: &str = "orgseal-any-bucket";
/// Why a bucket is left alone that the campaign knows nothing of.
const UNKNOWN: &str = "noncompliant when remediation was switched on";
/// So often the rule is asked what it found of the account's buckets.
const LOOKS: u32 = 40;
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A bucket that is left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// Which.
    pub bucket: Bucket,
    /// In words.
    pub why: String,
}

/// How often and how fast a remediation is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tries {
    /// Times: 1 to 25.
    pub attempts: i32,
    /// Within so many seconds.
    pub seconds: i64,
}

/// What became of the remediation of an account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemediationDone {
    /// Twelve digits.
    pub account: String,
    /// The Region; `None` where the account was not entered.
    pub region: Option<String>,
    /// Buckets that are left alone by an exception.
    pub excepted: usize,
    /// Whether something changed.
    pub changed: bool,
    /// Why it did not work. Then nothing is remedied by itself there.
    pub error: Option<AwsError>,
}

impl RemediationDone {
    /// Nothing is known of the account.
    fn unknown(account: &Account, error: AwsError) -> RemediationDone {
        let account = account.id.clone();
        RemediationDone { account, region: None, excepted: 0, changed: false, error: Some(error) }
    }
}

impl Site {
    /// Switches it on in some accounts.
    pub async fn remediation_on(
        &self,
        accounts: &BTreeSet<String>,
        excepted: &[Excepted],
        tries: Tries,
    ) -> Result<Vec<RemediationDone>, SiteError> {
        let mut by_account: BTreeMap<String, Vec<Excepted>> = BTreeMap::new();
        for one in excepted {
            by_account.entry(one.bucket.account.clone()).or_default().push(one.clone());
        }
        self.remediate(accounts, move |site, account, member| {
            let excepted = by_account.get(&account.id).cloned().unwrap_or_default();
            async move {
                let mut done = Vec::new();
                for region in site.regions.clone() {
                    let here: Vec<&Excepted> = excepted.iter().filter(|one| one.bucket.region == region).collect();
                    let outcome = site.switch_on(&member, &account, &region, &here, tries).await;
                    let excepted = outcome.as_ref().copied().unwrap_or_default();
                    done.push(RemediationDone {
                        account: account.id.clone(),
                        region: Some(region),
                        excepted,
                        changed: outcome.is_ok(),
                        error: outcome.err(),
                    });
                }
                done
            }
        })
        .await
    }

    /// Switches it off in some accounts: the remediation goes, and the rule that it hung on.
    pub async fn remediation_off(&self, accounts: &BTreeSet<String>) -> Result<Vec<RemediationDone>, SiteError> {
        self.remediate(accounts, |site, account, member| async move {
            let mut done = Vec::new();
            for region in site.regions.clone() {
                let outcome = async {
                    let remediation = member.delete_remediation(&region, RULE).await?;
                    Ok::<_, AwsError>(member.delete_rule(&region, RULE).await? || remediation)
                };
                let outcome = outcome.await;
                done.push(RemediationDone {
                    account: account.id.clone(),
                    region: Some(region),
                    excepted: 0,
                    changed: outcome.as_ref().copied().unwrap_or_default(),
                    error: outcome.err(),
                });
            }
            done
        })
        .await
    }

    async fn remediate<W>(
        &self,
        accounts: &BTreeSet<String>,
        work: impl Fn(Site, Account, Member) -> W + Clone + Send + 'static,
    ) -> Result<Vec<RemediationDone>, SiteError>
    where
        W: Future<Output = Vec<RemediationDone>> + Send + 'static,
    {
        self.began();
        let chosen: Vec<Account> =
            self.accounts.iter().filter(|one| one.is_active() && accounts.contains(&one.id)).cloned().collect();
        let done = self
            .each(
                chosen,
                move |site, account| {
                    let work = work.clone();
                    async move {
                        site.events.emit(&Event::AccountEntered { account: account.clone() });
                        let done = match site.enter(&account.id, Purpose::Groundwork).await {
                            Ok(member) => work(site.clone(), account.clone(), member).await,
                            Err(error) => vec![RemediationDone::unknown(&account, error)],
                        };
                        site.events.emit(&Event::AccountRead { account, buckets: 0 });
                        done
                    }
                },
                |account, error| vec![RemediationDone::unknown(account, error)],
            )
            .await;
        self.ended();
        let mut done: Vec<RemediationDone> = done.into_iter().flatten().collect();
        done.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
        Ok(done)
    }

    /// Rule, remediation by hand, exceptions, and only then by itself: no bucket is touched before it is known to be left alone.
    async fn switch_on(
        &self,
        member: &Member,
        account: &Account,
        region: &str,
        excepted: &[&Excepted],
        tries: Tries,
    ) -> Result<usize, AwsError> {
        let file = &self.groundwork.file;
        let keys = file.keys_of(account);
        let Some(key) = keys.get(region) else { return Ok(0) };
        let reference = file.document.reference(Operation::Seal, &self.groundwork.partition, region);
        let document = member.ssm(region).document(&reference, file.document.version(Operation::Seal)).await?;
        let parameters = self.parameters(account, region, &document.content)?;
        let (bucket, others): (Vec<_>, Vec<_>) = parameters.iter().partition(|(_, value)| *value == ANY_BUCKET);
        let [(bucket_parameter, _)] = bucket.as_slice() else {
            return Err(fault(&format!("document {reference} has no parameter for the bucket name alone")));
        };
        let mut wanted = RemediationWanted {
            rule: RULE,
            document: &reference,
            version: Some(&document.version),
            parameters: others.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            bucket_parameter,
            attempts: tries.attempts,
            seconds: tries.seconds,
            automatic: false,
        };
        member.put_encryption_rule(region, RULE, &[key.to_string()]).await?;
        member.put_remediation(region, &wanted).await?;
        // What is not compliant now is left alone, whoever left it so; from here on drift and new buckets are sealed.
        let complies = self.compliance(member, account, region).await?;
        let closed: Vec<&str> = excepted
            .iter()
            .map(|one| one.bucket.name.as_str())
            .filter(|name| complies.get(*name) == Some(&true))
            .collect();
        if !closed.is_empty() {
            return Err(AwsError {
                code: "NotExcepted".to_owned(),
                message: format!(
                    "AWS Config accepts no exception for a compliant bucket, and would seal these buckets after drift: {}",
                    closed.join(", ")
                ),
                hint:
                    "automatic remediation stays off there; end their exemption, or exclude the account with --account"
                        .to_owned(),
            });
        }
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for bucket in complies.iter().filter(|(_, complies)| !**complies).map(|(bucket, _)| bucket) {
            let why = excepted.iter().find(|one| one.bucket.name == *bucket).map_or(UNKNOWN, |one| one.why.as_str());
            by_reason.entry(why).or_default().push(bucket.clone());
        }
        for (why, buckets) in &by_reason {
            member.except_from_remediation(region, RULE, buckets, &format!("orgseal: {why}")).await?;
        }
        let left_alone = member.remediation_exceptions(region, RULE).await?;
        if let Some(lacking) = by_reason.values().flatten().find(|bucket| !left_alone.contains(*bucket)) {
            return Err(AwsError {
                code: "NotExcepted".to_owned(),
                message: format!("AWS Config does not return the exception of bucket {lacking}"),
                hint: "automatic remediation stays off there; try again in a few minutes".to_owned(),
            });
        }
        wanted.automatic = true;
        member.put_remediation(region, &wanted).await?;
        Ok(by_reason.values().map(Vec::len).sum())
    }

    /// The account's buckets in a Region, and whether the rule finds each compliant, once it has looked at every one of them.
    async fn compliance(
        &self,
        member: &Member,
        account: &Account,
        region: &str,
    ) -> Result<BTreeMap<String, bool>, AwsError> {
        let s3 = member.s3_at_home();
        let mut names = BTreeSet::new();
        let mut pages = Box::pin(s3.bucket_pages());
        while let Some(page) = pages.next().await {
            for (name, there) in page? {
                let there = match there {
                    Some(there) => there,
                    None => s3.region_of(&name).await?,
                };
                if there == region {
                    names.insert(name);
                }
            }
        }
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        member.evaluate_rule(region, RULE).await?;
        let mut wait = Duration::from_millis(500);
        for _ in 0..LOOKS {
            let found = member.compliance(region, RULE).await?;
            if names.iter().all(|name| found.contains_key(name)) {
                return Ok(found.into_iter().filter(|(name, _)| names.contains(name)).collect());
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = self.stop.cancelled() => break,
            }
        }
        Err(AwsError {
            code: "Timeout".to_owned(),
            message: format!("AWS Config has not evaluated every bucket of account {} in {region}", account.id),
            hint: "automatic remediation stays off there; check that its configuration recorder is on and records S3 buckets, \
                   then try again"
                .to_owned(),
        })
    }

    /// The document's parameters for a bucket that blocks nothing: the result must be exactly what is wanted.
    fn parameters(&self, account: &Account, region: &str, content: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let file = &self.groundwork.file;
        let unusable = |why: String| AwsError {
            code: "DocumentNotUsable".to_owned(),
            message: format!("the document that seals, in {region}: {why}"),
            hint: "compare it with `orgseal bootstrap diff`".to_owned(),
        };
        let runbook = Runbook::parse(content).map_err(|error| unusable(error.to_string()))?;
        let wanted = file.wanted(&file.keys_of(account), region);
        let wanted = wanted.ok_or_else(|| unusable("no central key is configured for this Region".to_owned()))?;
        let rule = wanted.rule(&DefaultEncryption::from(EncryptionRule::SSE_S3));
        let role = &file.automation_role;
        let role = role_arn(&self.groundwork.partition, &account.id, &role.path, &role.name);
        let bucket = Bucket { account: account.id.clone(), region: region.to_owned(), name: ANY_BUCKET.to_owned() };
        let change = Change { bucket: &bucket, automation_role: &role, rule: &rule };
        let parameters = runbook.parameters_for(&change).map_err(|error| unusable(error.to_string()))?;
        Ok(parameters.into_iter().filter_map(|(name, values)| Some((name, values.into_iter().next()?))).collect())
    }
}
