//! An audit: everything up to the verdicts, read-only.

use std::sync::Arc;

use super::{Campaign, CampaignError, Ending};
use crate::aws::Purpose;

impl Campaign {
    /// Reads the organization and judges each bucket. What was found is in the ledger when this returns.
    pub async fn audit(self: &Arc<Self>) -> Result<Ending, CampaignError> {
        let outcome = self.run_audit().await;
        self.closed(outcome).await
    }

    async fn run_audit(self: &Arc<Self>) -> Result<Ending, CampaignError> {
        let halted = self.stop_when_halted();
        if let Some(accounts) = self.discover().await? {
            if self.audits_guards {
                self.recall_omissions()?;
            }
            let directory_buckets = self.file.audit.count_out_of_scope;
            let purpose = Purpose::Audit { directory_buckets, guards: self.audits_guards };
            self.read_accounts(accounts, purpose).await?;
        }
        halted.abort();
        let ending = match self.ending(None).await {
            // An audit starts nothing, and that is all of it.
            Ending::DryRun => Ending::Finished,
            ending => ending,
        };
        self.finish(ending).await
    }
}
