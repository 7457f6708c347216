//! The Automation document of an account and Region: read once, and whether it does what is wanted.

use super::Campaign;
use super::omission::Stake;
use crate::aws::Ssm;
use crate::config::BlockedTypesChoice;
use crate::model::{AwsError, BlockedTypesElement, Bucket, DefaultEncryption, OmissionRecord, Reason};
use crate::plan::{CannotCarry, Change, Limit, OmissionTerms, PlannedStart, Runbook};

/// The document as it is in this account and Region, read once.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) reference: String,
    pub(super) version: String,
    pub(super) runbook: Runbook,
}

impl Campaign {
    /// The document of a Region, fit to be started: read once per account and Region (`GetDocument`).
    pub(super) async fn document(&self, ssm: &Ssm, region: &str) -> Result<Document, AwsError> {
        let choice = &self.file.document;
        let reference = choice.reference(self.operation, &self.aws.caller().partition, region);
        let document = ssm.document(&reference, choice.version(self.operation)).await?;
        let runbook = Runbook::parse(&document.content).map_err(|error| AwsError {
            code: "DocumentNotUsable".to_owned(),
            message: format!("document {reference}, version {}: {error}", document.version),
            hint: "use the shipped document in config/documents".to_owned(),
        })?;
        self.warn_of_patterns(choice.name(self.operation), &runbook);
        Ok(Document { reference, version: document.version, runbook })
    }

    /// Why a document that was changed since the plan is not started.
    pub(super) fn other_document(&self, account: &str, region: &str, document: &Document) -> AwsError {
        AwsError {
            code: "DiffersFromPlan".to_owned(),
            message: format!(
                "document {} in account {account} and {region} is not the one that the plan saw: its sha256 (of the canonical JSON form) is {}",
                document.reference,
                document.runbook.hash()
            ),
            hint: "find out who changed it, then make a new plan, and have it approved".to_owned(),
        }
    }

    /// The start that gives a bucket the wanted rule, or why there is none.
    pub(super) fn planned_start(
        &self,
        document: &Document,
        change: &Change<'_>,
        found: &DefaultEncryption,
    ) -> Result<PlannedStart, (Reason, AwsError)> {
        let (Bucket { account, region, .. }, hash) = (change.bucket, document.runbook.hash());
        let terms = OmissionTerms {
            found,
            must_omit: self.omissions.is_refused(account, region, hash),
            may_omit_block: self.file.encryption.blocked_types == BlockedTypesChoice::Prove,
        };
        let start = document.runbook.start_for(change, &terms).map_err(|cannot| self.cannot_carry(region, &cannot))?;
        if start.blocked_types == BlockedTypesElement::Omitted
            && let Some(changed) = self.omissions.changed(region, hash, Stake::of(found))
        {
            return Err((Reason::DocumentCannotCarry, self.omission_not_kept(&changed)));
        }
        Ok(start)
    }

    /// Why no further bucket is changed by a document that omits the element.
    fn omission_not_kept(&self, changed: &OmissionRecord) -> AwsError {
        let name = self.file.document.name(self.operation);
        let OmissionRecord { account, region, bucket, .. } = changed;
        AwsError {
            code: "BlockedTypesNotKept".to_owned(),
            message: format!(
                "document {name} in {region} omits BlockedEncryptionTypes, and S3 changed the blocked encryption types of \
                 {bucket} in account {account} when that was omitted"
            ),
            hint: format!(
                "use the shipped document in config/documents, which sends them. Set those of {bucket} again: {}",
                changed.repair.as_deref().unwrap_or("aws s3api put-bucket-encryption")
            ),
        }
    }

    /// Why a Region's document cannot produce what is wanted.
    pub(super) fn cannot_carry(&self, region: &str, cannot: &CannotCarry) -> (Reason, AwsError) {
        let name = self.file.document.name(self.operation);
        let (reason, code, hint) = match cannot {
            CannotCarry::NotAllowed { parameter, limit, value } if !matches!(limit, Limit::AllowedValues(_)) => (
                Reason::ParameterNotAccepted,
                "ParameterNotAccepted",
                parameter_hint(parameter, limit, value),
            ),
            CannotCarry::OmitsBlockedTypes(_) => (
                Reason::DocumentCannotCarry,
                "DocumentCannotCarry",
                "use the shipped document in config/documents, which sends them; or set encryption.blocked_types = \"prove\": \
                 one such bucket in each Region is then changed first, alone, and its read-back decides for the others"
                    .to_owned(),
            ),
            _ => (
                Reason::DocumentCannotCarry,
                "DocumentCannotCarry",
                "use the shipped document in config/documents, or a campaign file that wants what this document does"
                    .to_owned(),
            ),
        };
        (reason, AwsError { code: code.to_owned(), message: format!("document {name} in {region}: {cannot}"), hint })
    }

    /// Warns, once per document and not per account, of parameters whose pattern is not understood here.
    fn warn_of_patterns(&self, reference: &str, runbook: &Runbook) {
        for (parameter, pattern) in runbook.unreadable_patterns() {
            let message = format!(
                "document {reference}: could not determine whether Systems Manager accepts the values of parameter {parameter}: \
                 unsupported allowedPattern {pattern}"
            );
            self.warnings.once(&self.events, message);
        }
    }
}

/// What to do about a value that is outside of a parameter's limit.
fn parameter_hint(parameter: &str, limit: &Limit, value: &str) -> String {
    let element = limit.element();
    // S3 allowed such names in us-east-1 until March 2018. The pattern of the shipped documents begins and ends with a letter or digit.
    let edges = ['.', '_', '-'];
    match parameter == "BucketName" && (value.starts_with(edges) || value.ends_with(edges)) {
        true => format!(
            "the documents that ship in config/documents accept no bucket name that begins or ends with \".\", \"_\" or \"-\": change \
             {element} of parameter {parameter} in a document of your own, or exempt the bucket and set its default encryption yourself \
             (aws s3api put-bucket-encryption)"
        ),
        false => format!(
            "change {element} of parameter {parameter} in the document, or use the shipped document in config/documents"
        ),
    }
}
