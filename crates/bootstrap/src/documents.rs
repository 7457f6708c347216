//! The Automation documents, as they are shipped.

use serde_norway::Value;

const SEAL: &str = include_str!("../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const RESTORE: &str = include_str!("../../../config/documents/RestoreS3BucketEncryption.yaml");

/// A shipped document cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the shipped document {name} cannot be read: {why}")]
pub struct DocumentError {
    name: &'static str,
    why: serde_norway::Error,
}

/// A document in both forms.
pub(crate) struct Document {
    pub(crate) yaml: &'static str,
    pub(crate) tree: Value,
}

/// The document that seals.
pub(crate) fn seal() -> Result<Document, DocumentError> {
    read("EnableS3BucketEncryptionWithKMS", SEAL)
}

/// The document that puts back.
pub(crate) fn restore() -> Result<Document, DocumentError> {
    read("RestoreS3BucketEncryption", RESTORE)
}

fn read(name: &'static str, yaml: &'static str) -> Result<Document, DocumentError> {
    let tree = serde_norway::from_str(yaml).map_err(|why| DocumentError { name, why })?;
    Ok(Document { yaml, tree })
}
