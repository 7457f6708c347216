//! What waits in a run, by what is to be done with it.

use rusqlite::params;

use super::reader::OF_WAVE;
use super::{LedgerError, Reader, Run, Scope};
use crate::event::ChangeWork;
use crate::model::Verdict;

impl Reader {
    /// The buckets of a scope, in one wave or in all, counted by what a changing run does with them.
    pub fn change_work(&self, run: &Run, scope: Scope, wave: Option<u32>) -> Result<ChangeWork, LedgerError> {
        let sql = format!(
            "SELECT phase IN ('intended', 'started', 'ended'), verdict, count(*) FROM bucket
             WHERE run = ?1 AND {OF_WAVE} AND {} GROUP BY 1, 2",
            scope.condition()
        );
        let rows: Vec<(bool, Option<String>, u64)> =
            self.gather(&sql, params![run.number, wave], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut work = ChangeWork::default();
        for (in_flight, verdict, buckets) in rows {
            let verdict = verdict.and_then(|verdict| Verdict::ALL.iter().find(|known| known.as_str() == verdict));
            work.count(in_flight, verdict.copied(), buckets);
        }
        Ok(work)
    }
}

impl ChangeWork {
    /// Counts buckets of one kind.
    pub(crate) fn count(&mut self, in_flight: bool, verdict: Option<Verdict>, buckets: u64) {
        let count = match (in_flight, verdict) {
            (true, _) => &mut self.in_flight,
            (false, Some(Verdict::Failed)) => &mut self.retry,
            (false, Some(Verdict::Unread)) => &mut self.reread,
            (false, Some(Verdict::Held)) => &mut self.held,
            (false, _) => &mut self.change,
        };
        *count += buckets;
    }
}
