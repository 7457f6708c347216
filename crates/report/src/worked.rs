//! How long a run took. One that was resumed has pauses, in which nothing worked on it.

use orgseal_core::ledger::{LedgerError, Reader, Run};

use crate::words::{counted, duration, lasting};

/// The time of a finished run in words; `None` while it is not finished.
pub(crate) fn took(reader: &Reader, run: &Run) -> Result<Option<String>, LedgerError> {
    let Some(end) = run.finished_at else { return Ok(None) };
    let sessions: Vec<_> = reader.sessions(run)?.iter().map(|session| (session.started_at, session.ended_at)).collect();
    Ok(Some(in_words((run.started_at, end), &sessions)))
}

fn in_words(
    (start, end): (jiff::Timestamp, jiff::Timestamp),
    sessions: &[(jiff::Timestamp, Option<jiff::Timestamp>)],
) -> String {
    let whole = duration(start, end);
    if sessions.len() < 2 {
        return whole;
    }
    let worked =
        sessions.iter().map(|(start, end)| Some((end.as_ref()?.as_millisecond() - start.as_millisecond()).max(0)));
    match worked.sum::<Option<i64>>() {
        Some(worked) => format!(
            "{} of work in {}, {whole} from start to end",
            lasting(worked),
            counted(sessions.len() as u64, "session")
        ),
        // Nobody knows when a process was killed.
        None => format!("{whole} from start to end, pauses included"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_no_work() {
        let at = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
        let whole = (at(0), at(72));
        assert_eq!(in_words(whole, &[(at(0), Some(at(72)))]), "1 min 12 s");
        assert_eq!(
            in_words(whole, &[(at(0), Some(at(12))), (at(60), Some(at(72)))]),
            "24 s of work in 2 sessions, 1 min 12 s from start to end"
        );
        assert_eq!(
            in_words(whole, &[(at(0), None), (at(60), Some(at(72)))]),
            "1 min 12 s from start to end, pauses included"
        );
    }
}
