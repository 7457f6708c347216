//! What rollbacks have undone of a campaign.

use orgseal_core::ledger::{LedgerError, Reader, Run};

use crate::words::counted;

/// The rollbacks that restored buckets of a campaign, in words. A bucket that was restored before counts where it was restored.
pub(crate) fn by(reader: &Reader, run: &Run) -> Result<Vec<String>, LedgerError> {
    let mut said = Vec::new();
    for (rollback, restored) in reader.rollbacks_in_force(run)? {
        let them = counted(restored, "bucket");
        said.push(format!("undone since, in whole or in part: {} restored {them}", rollback.id));
    }
    Ok(said)
}
