//! A reader that sees only a part of a run: every count and list after that speaks of the part alone.

use super::{LedgerError, Reader, Run};
use crate::model::Account;
use crate::plan::Narrowed;

impl Reader {
    /// Narrows what is read of a run to accounts, OUs, Regions and buckets. OUs are known where the run read them.
    pub fn narrow(&self, run: &Run, narrowed: &Narrowed) -> Result<(), LedgerError> {
        if narrowed.is_empty() {
            return Ok(());
        }
        let mut chosen = Vec::new();
        self.each_account::<LedgerError>(run, |record| {
            let account = Account {
                id: record.id.clone(),
                name: record.name.clone(),
                state: record.state,
                ous: record.ous,
                tags: Default::default(),
            };
            if narrowed.takes_account(&account) {
                chosen.push(quoted(&account.id));
            }
            Ok(())
        })?;
        let accounts = format!("({})", chosen.join(", "));
        // A view of the connection's own hides the table of the same name. `query_only` would forbid to make one.
        self.batch(&format!(
            "PRAGMA query_only = OFF;
             CREATE TEMP VIEW account AS SELECT * FROM main.account WHERE id IN {accounts};
             CREATE TEMP VIEW bucket AS SELECT * FROM main.bucket
                 WHERE account IN {accounts} AND {} AND {};
             PRAGMA query_only = ON;",
            condition("region", &narrowed.regions),
            condition("name", &narrowed.buckets),
        ))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Patterns as SQLite's GLOB takes them, which knows brackets as well.
fn condition(column: &str, patterns: &[String]) -> String {
    let glob = |pattern: &str| format!("{column} GLOB {}", quoted(&pattern.replace('[', "[[]")));
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) => left_out.push(glob(pattern)),
            None => taken.push(glob(pattern)),
        }
    }
    let any = |globs: Vec<String>, otherwise: &str| match globs.is_empty() {
        true => otherwise.to_owned(),
        false => format!("({})", globs.join(" OR ")),
    };
    format!("{} AND NOT {}", any(taken, "1"), any(left_out, "0"))
}
