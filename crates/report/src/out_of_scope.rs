//! What a report is not about, in words, and the directory buckets of each account where a run counted them.

use orgseal_core::ledger::{Reader, Run, Summary};
use orgseal_core::model::UnreadRegion;

use crate::ReportError;
use crate::words::{counted, number};

/// An account that has directory buckets, or in which they could not be counted everywhere.
pub(crate) struct AccountCount {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) buckets: u64,
    pub(crate) unread: Vec<UnreadRegion>,
}

/// The sentence that each format shows.
pub(crate) fn says(summary: &Summary) -> String {
    let scope = &summary.out_of_scope;
    let mut text = scope.says.to_owned();
    if let Some(buckets) = scope.directory_buckets {
        text.push_str(&format!(" Counted: {}.", counted(buckets, "directory bucket")));
    }
    match scope.accounts_not_counted {
        None | Some(0) => {}
        Some(accounts) => {
            text.push_str(&format!(" The count is incomplete in {}.", counted(accounts, "account")));
        }
    }
    text
}

/// The accounts with something to say, by id.
pub(crate) fn accounts(reader: &Reader, run: &Run) -> Result<Vec<AccountCount>, ReportError> {
    let mut found = Vec::new();
    reader.each_account::<ReportError>(run, |account| {
        if let Some(counted) = account.directory_buckets
            && (counted.buckets > 0 || !counted.unread.is_empty())
        {
            let (buckets, unread) = (counted.buckets, counted.unread);
            found.push(AccountCount { id: account.id, name: account.name, buckets, unread });
        }
        Ok(())
    })?;
    Ok(found)
}

impl AccountCount {
    /// `2 directory buckets; not counted in eu-west-1 (AccessDenied)`
    pub(crate) fn says(&self) -> String {
        let mut parts = Vec::new();
        if self.buckets > 0 {
            parts.push(counted(self.buckets, "directory bucket"));
        }
        let regions: Vec<String> =
            self.unread.iter().map(|unread| format!("{} ({})", unread.region, unread.error.code)).collect();
        if !regions.is_empty() {
            parts.push(format!("not counted in {}", regions.join(", ")));
        }
        parts.join("; ")
    }

    /// The number for a cell; empty where no Region could be read.
    pub(crate) fn amount(&self) -> String {
        if self.buckets == 0 && !self.unread.is_empty() { String::new() } else { number(self.buckets) }
    }
}

/// Why something could not be counted, and what to do, each once.
pub(crate) fn causes(accounts: &[AccountCount]) -> Vec<(String, String)> {
    let mut causes: Vec<(String, String)> = Vec::new();
    for unread in accounts.iter().flat_map(|account| &account.unread) {
        if !causes.iter().any(|(code, _)| *code == unread.error.code) {
            causes.push((unread.error.code.clone(), unread.error.hint.clone()));
        }
    }
    causes
}
