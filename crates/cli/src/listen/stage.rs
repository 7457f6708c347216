//! What a stage of changes is about, in words: what is sealed, retried, evaluated again or only followed.

use orgseal_core::event::ChangeWork;
use orgseal_report::counted;

/// What a run that changes buckets does to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Seal,
    Restore,
}

impl Operation {
    pub(crate) fn of(kind: &str) -> Operation {
        if kind == "rollback" { Operation::Restore } else { Operation::Seal }
    }

    /// What a bucket is afterwards.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Operation::Seal => "sealed",
            Operation::Restore => "restored",
        }
    }
}

/// The line at the beginning: `sealing 5 buckets, evaluating 17 held buckets again, in 4 accounts`.
pub(crate) fn begins(operation: Operation, work: &ChangeWork, accounts: usize) -> String {
    let (would, doing) = match operation {
        Operation::Seal => ("change", "sealing"),
        Operation::Restore => ("restore", "restoring"),
    };
    let places = counted(accounts as u64, "account");
    if work.dry_run {
        return format!("dry run: would {would} {} in {places}", counted(work.buckets(), "bucket"));
    }
    let again = |doing: &str, buckets: u64, kind: &str| format!("{doing} {} again", counted(buckets, kind));
    let parts = [
        (work.change, format!("{doing} {}", counted(work.change, "bucket"))),
        (work.retry, format!("retrying {}", counted(work.retry, "failed bucket"))),
        (work.reread, again("reading", work.reread, "unread bucket")),
        (work.held, again("evaluating", work.held, "held bucket")),
        (work.in_flight, format!("following {} in flight", counted(work.in_flight, "execution"))),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(buckets, _)| *buckets > 0).map(|(_, says)| says).collect();
    match parts.as_slice() {
        [] => format!("{doing} {} in {places}", counted(0, "bucket")),
        [one] => format!("{one} in {places}"),
        many => format!("{}, in {places}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_done() {
        let seal = |work, accounts| begins(Operation::Seal, &work, accounts);
        let work = ChangeWork::default();
        assert_eq!(seal(ChangeWork { change: 1, ..work }, 1), "sealing 1 bucket in 1 account");
        assert_eq!(
            seal(ChangeWork { dry_run: true, change: 9, ..work }, 5),
            "dry run: would change 9 buckets in 5 accounts"
        );
        assert_eq!(
            seal(ChangeWork { retry: 5, held: 17, ..work }, 4),
            "retrying 5 failed buckets, evaluating 17 held buckets again, in 4 accounts"
        );
        assert_eq!(seal(ChangeWork { in_flight: 3, ..work }, 2), "following 3 executions in flight in 2 accounts");
        assert_eq!(
            begins(Operation::Restore, &ChangeWork { dry_run: true, change: 1, ..work }, 1),
            "dry run: would restore 1 bucket in 1 account"
        );
        assert_eq!(
            begins(Operation::Restore, &ChangeWork { change: 2, reread: 1, ..work }, 1),
            "restoring 2 buckets, reading 1 unread bucket again, in 1 account"
        );
    }
}
