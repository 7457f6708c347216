//! SSM documents: versions, default version, sharing. How their content runs is in `automation`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::automation::document::{Format, Runbook};

/// One version of a document.
#[derive(Debug, Clone)]
pub(crate) struct DocumentVersion {
    pub(crate) content: Arc<str>,
    pub(crate) format: Format,
    pub(crate) hash: String,
    pub(crate) version_name: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) runbook: Arc<Runbook>,
}

impl DocumentVersion {
    pub(crate) fn new(
        content: &str,
        format: Format,
        version_name: Option<String>,
        created_ms: i64,
    ) -> Result<DocumentVersion, String> {
        let runbook = Arc::new(Runbook::parse(content, format)?);
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(content.as_bytes()) {
            let _ = write!(hash, "{byte:02x}");
        }
        Ok(DocumentVersion { content: content.into(), format, hash, version_name, created_ms, runbook })
    }
}

/// A document of one account and Region. Version N is at index N - 1.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) versions: Vec<Arc<DocumentVersion>>,
    pub(crate) default_version: usize,
    /// Account ids, or "all".
    pub(crate) shared_with: BTreeSet<String>,
    pub(crate) tags: Vec<(String, String)>,
    /// The kind of resource it is for: `/`, `/AWS::S3::Bucket`.
    pub(crate) target_type: Option<String>,
    /// Numbers of versions that were deleted: no later version takes their place.
    pub(crate) deleted: BTreeSet<usize>,
}

impl Document {
    pub(crate) fn new(first: Arc<DocumentVersion>) -> Document {
        Document {
            versions: vec![first],
            default_version: 1,
            shared_with: BTreeSet::new(),
            tags: Vec::new(),
            target_type: None,
            deleted: BTreeSet::new(),
        }
    }

    /// The number of the newest version that is still there.
    pub(crate) fn latest(&self) -> usize {
        (1..=self.versions.len()).rev().find(|number| !self.deleted.contains(number)).unwrap_or_default()
    }

    /// The number that a request's `DocumentVersion` and `VersionName` mean.
    pub(crate) fn resolve(&self, version: Option<&str>, version_name: Option<&str>) -> Option<usize> {
        if let Some(name) = version_name {
            let named = |number: &usize| self.versions[number - 1].version_name.as_deref() == Some(name);
            let found = (1..=self.versions.len()).filter(|n| !self.deleted.contains(n)).find(named)?;
            return match version {
                Some(text) => (self.resolve(Some(text), None)? == found).then_some(found),
                None => Some(found),
            };
        }
        match version {
            None | Some("$DEFAULT") => Some(self.default_version),
            Some("$LATEST") => Some(self.latest()),
            Some(text) => text.parse().ok().filter(|n| (1..=self.latest()).contains(n) && !self.deleted.contains(n)),
        }
    }

    pub(crate) fn shared_to(&self, account: &str) -> bool {
        self.shared_with.contains(account) || self.shared_with.contains("all")
    }
}
