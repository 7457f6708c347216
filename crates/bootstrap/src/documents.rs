//! The Automation documents, as they are shipped.

use serde_norway::Value;

const SEAL: &str = include_str!("../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const RESTORE: &str = include_str!("../../../config/documents/RestoreS3BucketEncryption.yaml");

/// A shipped document or template cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the shipped {name} cannot be read: {why}")]
pub struct DocumentError {
    name: &'static str,
    why: serde_norway::Error,
}

impl DocumentError {
    /// Of a template.
    pub(crate) fn template(why: serde_norway::Error) -> DocumentError {
        DocumentError { name: "template", why }
    }
}

/// A document in both forms.
pub(crate) struct Document {
    pub(crate) yaml: &'static str,
    pub(crate) tree: Value,
}

/// The document that seals.
pub(crate) fn seal() -> Result<Document, DocumentError> {
    read("document EnableS3BucketEncryptionWithKMS", SEAL)
}

/// The document that puts back.
pub(crate) fn restore() -> Result<Document, DocumentError> {
    read("document RestoreS3BucketEncryption", RESTORE)
}

fn read(name: &'static str, yaml: &'static str) -> Result<Document, DocumentError> {
    let tree = serde_norway::from_str(yaml).map_err(|why| DocumentError { name, why })?;
    Ok(Document { yaml, tree })
}
