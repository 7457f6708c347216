//! Reading the record: what starts taught about `BlockedEncryptionTypes`.

use rusqlite::params;

use super::reader::open_bucket_of;
use super::rows::{OMISSION_COLUMNS, STATE_COLUMNS, omission_of};
use super::{LedgerError, OpenBucket, Reader, Run};
use crate::model::{BlockedTypesElement, OmissionRecord};

impl Reader {
    /// What every run in this ledger learned: whether S3 kept blocked types that a document omitted.
    pub fn omission_proofs(&self) -> Result<Vec<OmissionRecord>, LedgerError> {
        let sql =
            format!("SELECT {OMISSION_COLUMNS} FROM omission WHERE outcome IN ('kept', 'changed') ORDER BY run, at");
        self.gather(&sql, [], omission_of)
    }

    /// Where a run learned that Automation does not know the element.
    pub fn omission_refusals(&self, run: &Run) -> Result<Vec<OmissionRecord>, LedgerError> {
        let sql = format!("SELECT {OMISSION_COLUMNS} FROM omission WHERE run = ?1 AND outcome = 'refused'");
        self.gather(&sql, params![run.number], omission_of)
    }

    /// The buckets of a run with a start in flight that omits the element: each of them may still prove something.
    pub fn omissions_in_flight(&self, run: &Run) -> Result<Vec<OpenBucket>, LedgerError> {
        let sql = format!(
            "SELECT {STATE_COLUMNS}, account, region, name FROM bucket
             WHERE run = ?1 AND phase IN ('intended', 'started', 'ended') ORDER BY account, region, name"
        );
        let mut open: Vec<OpenBucket> = self.gather(&sql, params![run.number], open_bucket_of)?;
        let omits = |open: &OpenBucket| {
            let element = open.state.intent.as_ref().and_then(|intent| intent.blocked_types);
            element == Some(BlockedTypesElement::Omitted)
        };
        open.retain(omits);
        Ok(open)
    }

    /// The accounts and Regions in which a wave (or the whole run) has buckets waiting that block encryption types.
    pub fn blocking_places(&self, run: &Run, wave: Option<u32>) -> Result<Vec<(String, String)>, LedgerError> {
        let sql = "SELECT DISTINCT account, region FROM bucket
                   WHERE run = ?1 AND (?2 IS NULL OR coalesce(wave, 1) = ?2) AND phase = 'judged'
                         AND verdict IN ('not_sealed', 'not_restored') AND encryption LIKE '%\"SSE-C\"%'";
        self.gather(sql, params![run.number, wave], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
