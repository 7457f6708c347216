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
        if let Some(accounts) = self.discover().await? {
            self.read_accounts(accounts, Purpose::Audit).await?;
        }
        let ending = if self.stop.is_cancelled() { Ending::Interrupted } else { Ending::Finished };
        self.finish(ending).await
    }
}
