//! Puts the journal's changes on top of the generated world at start.
//! Entries about what is no longer there are passed over; entries that cannot be are an error.

use std::sync::Arc;

use crate::StartError;
use crate::journal::{DocumentEntry, EndEntry, Entry};
use crate::world::World;
use crate::world::document::{Document, DocumentVersion};
use crate::world::execution::{Execution, Status, Stop};

impl World {
    /// Replays the journal. Executions that had not ended are left as they were: `automation::engine::go_on` starts them.
    pub(crate) fn replay(&self) -> Result<(), StartError> {
        for (index, entry) in self.journal.take_past().into_iter().enumerate() {
            self.apply(entry).map_err(|reason| StartError::Journal {
                path: self.journal.path().to_path_buf(),
                line: index + 1,
                reason,
            })?;
        }
        self.stacks.settle();
        for account in 0..self.organization.accounts.len() {
            self.with_account(account, |state| {
                for region in state.regions.values_mut() {
                    let executions = &mut region.executions;
                    executions.waiting =
                        (0..executions.all.len()).filter(|at| executions.all[*at].status == Status::Pending).collect();
                    executions.running =
                        executions.all.iter().filter(|e| !e.status.ended() && e.status != Status::Pending).count()
                            as u32;
                }
                state.recount();
            });
        }
        Ok(())
    }

    pub(super) fn place(&self, account: &str, region: &str) -> Result<(usize, usize), String> {
        let account_at = self.organization.find(account).ok_or_else(|| format!("there is no account {account}"))?;
        let region_at = self.region_index(region).ok_or_else(|| format!("there is no Region {region}"))?;
        Ok((account_at, region_at))
    }

    fn apply(&self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Encryption { bucket, encryption } => {
                let owner = self.bucket_owner(&bucket).ok_or_else(|| format!("no account owns bucket {bucket}"))?;
                self.with_buckets(owner, |buckets| {
                    if let Ok(at) = buckets.binary_search_by(|b| (*b.name).cmp(&bucket)) {
                        buckets[at].encryption = encryption.map(Into::into);
                    }
                });
            }
            Entry::BucketDeleted { bucket } => {
                let owner = self.bucket_owner(&bucket).ok_or_else(|| format!("no account owns bucket {bucket}"))?;
                self.with_buckets(owner, |buckets| buckets.retain(|b| *b.name != *bucket));
                self.forget_bucket(&bucket);
            }
            Entry::DocumentVersion(entry) => self.apply_document(*entry)?,
            Entry::Shared { account, region, name, add, remove } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| {
                    if let Some(document) = state.documents.get_mut(&name) {
                        document.shared_with.extend(add);
                        document.shared_with.retain(|id| !remove.contains(id));
                    }
                });
            }
            Entry::Started { account, region, mut execution } => {
                let (account, region) = self.place(&account, &region)?;
                execution.runbook = self
                    .organization
                    .find(&execution.document_owner)
                    .and_then(|owner| {
                        self.with_region(owner, region, |state| {
                            let document = state.documents.get(&execution.document)?;
                            document.versions.get(execution.document_version - 1).cloned()
                        })
                    })
                    .map(|version| version.runbook.clone());
                self.with_region(account, region, |state| state.executions.add(*execution));
            }
            Entry::Running { account, region, id, at_ms } => self.change(&account, &region, &id, |execution| {
                execution.status = Status::InProgress;
                execution.running_ms = Some(at_ms);
            })?,
            Entry::Step { account, region, id, step, next } => self.change(&account, &region, &id, |execution| {
                execution.steps.push(*step);
                execution.next_step = next;
            })?,
            Entry::Stopping { account, region, id, stop } => self.change(&account, &region, &id, |execution| {
                execution.stop = Some(stop);
                if stop == Stop::Cancel && execution.status == Status::InProgress {
                    execution.status = Status::Cancelling;
                }
            })?,
            Entry::Ended(end) => {
                let EndEntry { account, region, id, status, at_ms, outputs, failure } = *end;
                self.change(&account, &region, &id, |execution| {
                    execution.status = status;
                    execution.ended_ms = Some(at_ms);
                    execution.outputs = outputs;
                    execution.failure = failure;
                    execution.next_step = None;
                })?;
            }
            made => self.apply_made(made)?,
        }
        Ok(())
    }

    fn change(&self, account: &str, region: &str, id: &str, change: impl FnOnce(&mut Execution)) -> Result<(), String> {
        let (account, region) = self.place(account, region)?;
        self.with_region(account, region, |state| {
            let execution = state.executions.get_mut(id).ok_or_else(|| format!("execution {id} was never started"))?;
            change(execution);
            Ok(())
        })
    }

    fn apply_document(&self, entry: DocumentEntry) -> Result<(), String> {
        let (account, region) = self.place(&entry.account, &entry.region)?;
        let version = DocumentVersion::new(&entry.content, entry.format, entry.version_name, entry.created_ms)?;
        let version = Arc::new(version);
        self.with_region(account, region, |state| match state.documents.get_mut(&entry.name) {
            Some(document) => {
                document.versions.push(version);
                if entry.make_default {
                    document.default_version = document.versions.len();
                }
                if entry.target_type.is_some() {
                    document.target_type = entry.target_type;
                }
            }
            None => {
                let mut document = Document::new(version);
                document.tags = entry.tags;
                document.target_type = entry.target_type;
                state.documents.insert(entry.name, document);
            }
        });
        Ok(())
    }
}
