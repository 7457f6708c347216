//! The documents of an account and Region: are they there, are they understood, can they do exactly what is wanted.

use super::{ANY_BUCKET, Look, of_error, tally};
use crate::aws::Ssm;
use crate::config::BlockedTypesChoice;
use crate::judge::Wanted;
use crate::model::{
    Account, AccountChecks, AwsError, Bucket, Check, CheckKind, DefaultEncryption, DocumentContent, EncryptionRule,
    Operation, Standing, role_arn,
};
use crate::plan::{CannotCarry, Change, OmissionTerms, Runbook};

/// The document that ships.
const SHIPPED: &str = include_str!("../../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");

/// Bucket names at the edges of what S3 allows (S3 user guide, "General purpose bucket naming rules").
const SHORTEST_NAME: &str = "a1b";
const DOTTED_NAME: &str = "0-team.logs.example-9";
const LONGEST_NAME: usize = 63;
/// Until March 2018 us-east-1 allowed capitals, underscores and up to 255 characters (the same page).
const LEGACY_NAME: &str = "Team_Logs.2017";

impl Look {
    /// The document that seals (`GetDocument`).
    pub(super) async fn document(&self, ssm: &Ssm, account: &Account, region: &str) -> Check {
        let kind = CheckKind::Document;
        let (reference, read) = self.read_document(ssm, region, Operation::Seal).await;
        let document = match read {
            Ok(document) => document,
            Err(error) => return self.unread(kind, &reference, &error, &account.id, region),
        };
        let runbook = match Runbook::parse(&document.content) {
            Ok(runbook) => runbook,
            Err(error) => {
                let message = format!("document {reference}, version {}: {error}", document.version);
                return Check::new(kind, Standing::Failed, message).fix("use the shipped document in config/documents");
            }
        };
        let Some(wanted) = self.file.wanted(&self.file.keys_of(account), region) else {
            return Check::new(kind, Standing::Failed, format!("no central key is configured for {region}"));
        };
        let shipped = if is_shipped(&document.content) { "yes" } else { "no" };
        let with_facts = |check: Check| {
            let check = check.fact("version", document.version.clone()).fact("sha256", runbook.hash().to_owned());
            check.fact("shipped", shipped)
        };
        let limited = self
            .limited(&runbook, &wanted, account, region)
            .map(|(says, fix)| (format!("document {reference}, version {}: {says}", document.version), fix));
        let plain = self.fits(&runbook, &wanted, account, region, None);
        let blocking = self.fits(&runbook, &wanted, account, region, Some("SSE-C"));
        // Which names the buckets have is not known here.
        let by_name = |fits: &Result<(), CannotCarry>| match fits {
            Ok(()) => true,
            Err(CannotCarry::NotAllowed { parameter, .. }) => parameter == "BucketName",
            Err(_) => false,
        };
        if let Some((message, fix)) = limited
            && by_name(&plain)
            && by_name(&blocking)
        {
            return with_facts(Check::new(kind, Standing::Warning, message).fix(fix));
        }
        with_facts(match (plain, blocking) {
            (Ok(()), Ok(())) if shipped == "no" && !self.file.bootstrap.is_default() => Check::new(
                kind,
                Standing::Failed,
                format!(
                    "version {} has the wanted effect, but is not the document that `orgseal bootstrap deploy` creates from \
                     this campaign file",
                    document.version
                ),
            )
            .fix("find out who changed it: `orgseal bootstrap diff` shows the difference, `orgseal bootstrap deploy` restores \
                  the document"),
            (Ok(()), Ok(())) => {
                Check::new(kind, Standing::Ok, format!("version {} has exactly the wanted effect", document.version))
            }
            (Err(why), _) => Check::new(
                kind,
                Standing::Failed,
                format!("document {reference}, version {}: {why}", document.version),
            )
            .fix("correct the document, or use the shipped one in config/documents; otherwise every bucket is held"),
            (Ok(()), Err(why)) => Check::new(
                kind,
                Standing::Warning,
                format!("document {reference}, version {}, on buckets that block SSE-C: {why}", document.version),
            )
            .fix("use the shipped document in config/documents: S3 blocks SSE-C on new buckets, and these would be held"),
        })
    }

    /// The document that a rollback starts: a rollout works without it, but cannot be undone.
    pub(super) async fn restore_document(&self, ssm: &Ssm, account: &Account, region: &str) -> Check {
        let kind = CheckKind::RestoreDocument;
        let (reference, read) = self.read_document(ssm, region, Operation::Restore).await;
        let (document, runbook) = match read.map(|document| (Runbook::parse(&document.content), document)) {
            Ok((Ok(runbook), document)) => (document, runbook),
            Ok((Err(error), document)) => {
                let message = format!("document {reference}, version {}: {error}", document.version);
                return Check::new(kind, Standing::Warning, message)
                    .fix("use the shipped one in config/documents: without it, a rollback restores nothing");
            }
            Err(error) => {
                let unread = self.unread(kind, &reference, &error, &account.id, region);
                let fix = unread.fix.clone().unwrap_or_default();
                return Check { standing: Standing::Warning, ..unread }
                    .fix(format!("{fix}; without it, a rollback restores nothing"));
            }
        };
        let role = self.automation_role_arn(account);
        let bucket = any_bucket(account, region);
        let change = Change { bucket: &bucket, automation_role: &role, rule: &EncryptionRule::SSE_S3 };
        let check = match runbook.parameters_for(&change) {
            Ok(_) => Check::new(
                kind,
                Standing::Ok,
                format!("version {} restores the former default encryption exactly", document.version),
            ),
            Err(why) => {
                let message = format!("document {reference}, version {}: {why}", document.version);
                Check::new(kind, Standing::Warning, message)
                    .fix("use the shipped one in config/documents: without it, a rollback restores nothing")
            }
        };
        check.fact("version", document.version).fact("sha256", runbook.hash().to_owned())
    }

    async fn read_document(
        &self,
        ssm: &Ssm,
        region: &str,
        operation: Operation,
    ) -> (String, Result<crate::aws::Document, AwsError>) {
        let choice = &self.file.document;
        let reference = choice.reference(operation, &self.aws.caller().partition, region);
        let read = ssm.document(&reference, choice.version(operation)).await;
        (reference, read)
    }

    /// A document that could not be read: a shared one is not there for an account with which it is not shared.
    fn unread(&self, kind: CheckKind, reference: &str, error: &AwsError, account: &str, region: &str) -> Check {
        let check = of_error(kind, error);
        if error.code != "InvalidDocument" {
            return check;
        }
        let (message, fix) = match &self.file.document.owner {
            Some(owner) => (
                format!("document {reference} does not exist, or is not shared with account {account}"),
                format!(
                    "create it in {region} of account {owner} and share it: aws ssm modify-document-permission --name NAME \
                     --permission-type Share --account-ids-to-add {account}"
                ),
            ),
            None => (
                format!("document {reference} is missing in account {account}, {region}"),
                "create it from config/documents (a service-managed StackSet deploys it to every account), or share one and set \
                 document.owner to its account"
                    .to_owned(),
            ),
        };
        Check { message, ..check }.fix(fix)
    }

    fn fits(
        &self,
        runbook: &Runbook,
        wanted: &Wanted,
        account: &Account,
        region: &str,
        blocked: Option<&str>,
    ) -> Result<(), CannotCarry> {
        let role = self.automation_role_arn(account);
        let now = EncryptionRule { blocked: blocked.map(|kind| vec![kind.to_owned()]), ..EncryptionRule::SSE_S3 };
        let rule = wanted.rule(&DefaultEncryption::from(now));
        let bucket = any_bucket(account, region);
        let change = Change { bucket: &bucket, automation_role: &role, rule: &rule };
        let terms = OmissionTerms {
            found: &DefaultEncryption::from(rule.clone()),
            must_omit: false,
            may_omit_block: self.file.encryption.blocked_types == BlockedTypesChoice::Prove,
        };
        runbook.start_for(&change, &terms).map(drop)
    }

    /// What the limits of the document's parameters keep out, or may keep out, and what to do about it.
    fn limited(&self, runbook: &Runbook, wanted: &Wanted, account: &Account, region: &str) -> Option<(String, String)> {
        let role = self.automation_role_arn(account);
        let rule = wanted.rule(&DefaultEncryption::from(EncryptionRule::SSE_S3));
        let longest = "a".repeat(LONGEST_NAME);
        let legacy = (region == "us-east-1").then_some(LEGACY_NAME);
        for name in [SHORTEST_NAME, DOTTED_NAME, &longest].into_iter().chain(legacy) {
            let bucket = Bucket { name: name.to_owned(), ..any_bucket(account, region) };
            let change = Change { bucket: &bucket, automation_role: &role, rule: &rule };
            if let Err(why) = runbook.parameters_for(&change) {
                let fix = "change the limits of parameter BucketName, or use the shipped document in config/documents: buckets \
                           with such names would be held";
                return Some((format!("it does not accept every bucket name: {why}"), fix.to_owned()));
            }
        }
        let (parameter, pattern) = runbook.unreadable_patterns().next()?;
        let says = format!(
            "could not determine whether Systems Manager accepts the values of parameter {parameter}: unsupported \
             allowedPattern {pattern}"
        );
        Some((
            says,
            format!(
                "compare the values of {parameter} with the pattern, or use the shipped document in config/documents"
            ),
        ))
    }

    pub(super) fn automation_role_arn(&self, account: &Account) -> String {
        let role = &self.file.automation_role;
        role_arn(&self.aws.caller().partition, &account.id, &role.path, &role.name)
    }
}

pub(super) fn any_bucket(account: &Account, region: &str) -> Bucket {
    Bucket { account: account.id.clone(), region: region.to_owned(), name: ANY_BUCKET.to_owned() }
}

/// Whether a document is the one that ships, in whatever form Systems Manager shows it.
fn is_shipped(content: &str) -> bool {
    let read = |text: &str| DocumentContent::parse(text).ok();
    read(content).zip(read(SHIPPED)).is_some_and(|(found, shipped)| found.is_same_document(&shipped))
}

/// What a document is told apart by: its hash, or that it is the shipped one, in which CloudFormation may have turned Booleans into
/// text.
fn identity(check: &Check) -> Option<&str> {
    match check.known("shipped") {
        Some("yes") => Some("shipped"),
        _ => check.known("sha256"),
    }
}

/// A document whose content differs from that of most other places is named: it does what is wanted, and is not the one that
/// was approved there. Where most places have one and the same, it is refused, unless it is the shipped one.
pub(super) fn compare(accounts: &mut [AccountChecks]) {
    let (usual, places, all) = {
        let places = accounts.iter().flat_map(|account| &account.regions);
        let documents = places.flat_map(|place| &place.checks).filter(|check| check.kind == CheckKind::Document);
        let counts = tally(documents.filter_map(identity));
        let all: usize = counts.values().sum();
        let Some((usual, places)) = counts.into_iter().max_by_key(|(_, places)| *places) else { return };
        (usual.to_owned(), places, all)
    };
    let standing = if 2 * places > all { Standing::Failed } else { Standing::Warning };
    for check in accounts.iter_mut().flat_map(|account| &mut account.regions).flat_map(|place| &mut place.checks) {
        let differs = identity(check).is_some_and(|identity| identity != usual);
        if check.kind == CheckKind::Document && check.standing == Standing::Ok && differs {
            check.standing = if check.known("shipped") == Some("yes") { Standing::Warning } else { standing };
            check.message = format!("{}, but its content differs from that in {places} other places", check.message);
            check.fix = Some("find out who changed it, and restore the approved document".to_owned());
        }
    }
}
