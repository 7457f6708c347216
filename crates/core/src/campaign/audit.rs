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
            let directory_buckets = self.file.audit.count_out_of_scope;
            self.read_accounts(accounts, Purpose::Audit { directory_buckets }).await?;
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
