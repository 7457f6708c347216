//! The Automation document of an account and Region: read once, and whether it does what is wanted.

use super::Campaign;
use crate::aws::Ssm;
use crate::model::{AwsError, Reason};
use crate::plan::{CannotCarry, Limit, Runbook};

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
            hint: "use the document that ships in config/documents".to_owned(),
        })?;
        self.warn_of_patterns(choice.name(self.operation), &runbook);
        Ok(Document { reference, version: document.version, runbook })
    }

    /// Why a document that was changed since the plan is not started.
    pub(super) fn other_document(&self, account: &str, region: &str, document: &Document) -> AwsError {
        AwsError {
            code: "DiffersFromPlan".to_owned(),
            message: format!(
                "document {} in account {account} and {region} is not the one that the plan saw: its sha256 is {}",
                document.reference,
                document.runbook.hash()
            ),
            hint: "find out who changed it, then make a new plan, and have it approved".to_owned(),
        }
    }

    /// Why a Region's document cannot produce what is wanted.
    pub(super) fn cannot_carry(&self, region: &str, cannot: &CannotCarry) -> (Reason, AwsError) {
        let name = self.file.document.name(self.operation);
        let (reason, code, hint) = match cannot {
            CannotCarry::NotAllowed { parameter, limit, .. } if !matches!(limit, Limit::AllowedValues(_)) => (
                Reason::ParameterNotAccepted,
                "ParameterNotAccepted",
                format!(
                    "change {} of parameter {parameter} in the document, or use the document that ships in config/documents",
                    limit.element()
                ),
            ),
            _ => (
                Reason::DocumentCannotCarry,
                "DocumentCannotCarry",
                "use the document that ships in config/documents, or a campaign file that wants what this document does"
                    .to_owned(),
            ),
        };
        (reason, AwsError { code: code.to_owned(), message: format!("document {name} in {region}: {cannot}"), hint })
    }

    /// Warns, once per document and not per account, of parameters whose pattern is not understood here.
    fn warn_of_patterns(&self, reference: &str, runbook: &Runbook) {
        for (parameter, pattern) in runbook.unreadable_patterns() {
            let message = format!(
                "document {reference}: whether Systems Manager accepts the values of parameter {parameter} could not be determined, since \
                 its allowedPattern is not understood: {pattern}"
            );
            self.warnings.once(&self.events, message);
        }
    }
}
