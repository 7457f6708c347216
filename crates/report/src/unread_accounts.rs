//! The accounts that could not be read, those with the same error together: forty times the same paragraph helps nobody.

use std::collections::HashMap;

use orgseal_core::ledger::{LedgerError, Reader, Run};
use orgseal_core::model::{AccountOutcome, AwsError};

use crate::terminal::placeholder;

/// Stands in a message for the id of whichever account it is about.
const ITS_ID: &str = "ACCOUNT_ID";

/// An account that could not be read.
pub(crate) struct UnreadAccount {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Accounts that could not be read for the same reason.
pub(crate) struct SameError {
    pub(crate) error: AwsError,
    pub(crate) accounts: Vec<UnreadAccount>,
}

/// Groups the unread accounts of a run by error, the largest group first.
pub(crate) fn by_error(reader: &Reader, run: &Run) -> Result<Vec<SameError>, LedgerError> {
    let mut groups: Vec<SameError> = Vec::new();
    let mut known: HashMap<(String, String, String), usize> = HashMap::new();
    reader.each_account::<LedgerError>(run, |account| {
        if account.outcome != AccountOutcome::Unread {
            return Ok(());
        }
        let error = account.error.unwrap_or_else(|| AwsError {
            code: "Unknown".to_owned(),
            message: "no reason was recorded".to_owned(),
            hint: "run the command again".to_owned(),
        });
        let general = placeholder(&error.message, &account.id, ITS_ID);
        let key = (error.code.clone(), general, error.hint.clone());
        let unread = UnreadAccount { id: account.id, name: account.name };
        match known.get(&key) {
            Some(group) => {
                // One alone keeps the message as AWS gave it; the second of its kind makes it speak of all.
                groups[*group].error.message = key.1;
                groups[*group].accounts.push(unread);
            }
            None => {
                known.insert(key, groups.len());
                groups.push(SameError { error, accounts: vec![unread] });
            }
        }
        Ok(())
    })?;
    groups.sort_by_key(|group| std::cmp::Reverse(group.accounts.len()));
    Ok(groups)
}
