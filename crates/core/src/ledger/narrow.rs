//! A reader that sees only a part of a run: every count and list after that speaks of the part alone.

use super::{LedgerError, Reader, Run};
use crate::glob::matches;
use crate::model::Account;
use crate::plan::Narrowed;

impl Reader {
    /// Whether every count and list speaks of a part of the run alone.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.narrowed.get()
    }

    /// Narrows what is read of a run to accounts, OUs, Regions and buckets. OUs are known where the run read them. A pattern that
    /// covers nothing of the run is an error, and so is a selection in which nothing is.
    pub fn narrow(&self, run: &Run, narrowed: &Narrowed) -> Result<(), LedgerError> {
        if narrowed.is_empty() {
            return Ok(());
        }
        let mut chosen = Vec::new();
        let (mut accounts_idle, mut ous_idle) = (narrowed.accounts.clone(), narrowed.ous.clone());
        self.each_account::<LedgerError>(run, |record| {
            let account = Account {
                id: record.id.clone(),
                name: record.name.clone(),
                state: record.state,
                ous: record.ous,
                tags: Default::default(),
            };
            accounts_idle.retain(|pattern| !covers(pattern, &[&account.id, &account.name]));
            ous_idle.retain(|pattern| !covers(pattern, &account.ous));
            if narrowed.takes_account(&account) {
                chosen.push(quoted(&account.id));
            }
            Ok(())
        })?;
        let mut idle = flagged("--account", accounts_idle);
        idle.extend(flagged("--ou", ous_idle));
        for (flag, column, patterns) in
            [("--region", "region", &narrowed.regions), ("--bucket", "name", &narrowed.buckets)]
        {
            let mut without = patterns.clone();
            without.retain(|pattern| {
                let bare = pattern.strip_prefix('!').unwrap_or(pattern).to_owned();
                !self.has_bucket(run, &condition(column, &[bare])).unwrap_or(true)
            });
            idle.extend(flagged(flag, without));
        }
        if !idle.is_empty() {
            return Err(LedgerError::NothingSelected { run: run.id.clone(), what: idle.join(", ") });
        }
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
        ))?;
        self.narrowed.set(true);
        let names_buckets = !narrowed.regions.is_empty() || !narrowed.buckets.is_empty();
        if chosen.is_empty() || names_buckets && !self.has_bucket(run, "1")? {
            return Err(LedgerError::NothingSelected { run: run.id.clone(), what: narrowed.in_words() });
        }
        Ok(())
    }
}

fn covers(pattern: &str, names: &[impl AsRef<str>]) -> bool {
    let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
    names.iter().any(|name| matches(pattern, name.as_ref()))
}

fn flagged(flag: &str, patterns: Vec<String>) -> Vec<String> {
    patterns.into_iter().map(|pattern| format!("{flag} {pattern}")).collect()
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
