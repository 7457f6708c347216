//! Automation documents: made, changed by a new version, shared.

use aws_sdk_ssm::types::{DocumentFormat, DocumentPermissionType, DocumentType, ResourceTypeForTagging, Tag};

use super::{TAG, TAG_VALUE, found, unbuilt, unreadable};
use crate::aws::{Paging, Ssm};
use crate::model::{AwsError, DocumentContent};

/// `ModifyDocumentPermission` takes so many accounts a call [model].
const ACCOUNTS_A_CALL: usize = 20;

/// A document of an account and Region, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentMade {
    /// It bears the tag of what orgseal made.
    pub ours: bool,
    /// Accounts with which it is shared.
    pub shared: Vec<String>,
}

impl Ssm {
    /// Who made a document, and with whom it is shared (`ListTagsForResource`, `DescribeDocumentPermission`); `None` where it is
    /// not there.
    pub async fn document_made(&self, name: &str) -> Result<Option<DocumentMade>, AwsError> {
        let Ssm { client, calls, .. } = self;
        let Some(_) = found(call!(calls, "DescribeDocument", client.describe_document().name(name)))? else {
            return Ok(None);
        };
        let request = client.list_tags_for_resource().resource_type(ResourceTypeForTagging::Document).resource_id(name);
        let tags = call!(calls, "ListTagsForResource", request)?;
        let ours = tags.tag_list().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE);
        let mut shared = Vec::new();
        let (mut token, mut paging) = (None, Paging::new("DescribeDocumentPermission"));
        loop {
            let request = client
                .describe_document_permission()
                .name(name)
                .permission_type(DocumentPermissionType::Share)
                .set_next_token(token);
            let page = call!(calls, "DescribeDocumentPermission", request)?;
            shared.extend_from_slice(page.account_ids());
            token = paging.next(page.next_token())?;
            if token.is_none() {
                return Ok(Some(DocumentMade { ours, shared }));
            }
        }
    }

    /// Makes an Automation document of YAML (`CreateDocument`).
    pub async fn create_document(&self, name: &str, yaml: &str) -> Result<(), AwsError> {
        let Ssm { client, calls, .. } = self;
        let tag =
            Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|error| unbuilt("CreateDocument", &error))?;
        let request = client
            .create_document()
            .name(name)
            .content(yaml)
            .document_type(DocumentType::Automation)
            .document_format(DocumentFormat::Yaml)
            .tags(tag);
        call!(calls, "CreateDocument", request).map(drop)
    }

    /// Adds a version of a document and makes it the default one (`UpdateDocument`, `UpdateDocumentDefaultVersion`): its number.
    /// A version that holds this already is made the default one.
    pub async fn update_document(&self, name: &str, yaml: &str) -> Result<String, AwsError> {
        let Ssm { client, calls, .. } = self;
        let request = client
            .update_document()
            .name(name)
            .content(yaml)
            .document_format(DocumentFormat::Yaml)
            .document_version("$LATEST");
        let version = match call!(calls, "UpdateDocument", request) {
            Ok(answer) => answer
                .document_description()
                .and_then(|document| document.document_version())
                .map(str::to_owned)
                .ok_or_else(|| unreadable("UpdateDocument", "version"))?,
            // A version holds it already, and somebody made another one the default.
            Err(error) if error.code == "DuplicateDocumentContent" => {
                self.version_that_holds(name, yaml).await?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        let request = client.update_document_default_version().name(name).document_version(&version);
        call!(calls, "UpdateDocumentDefaultVersion", request)?;
        Ok(version)
    }

    /// The version of a document with this content, the newest of several (`DescribeDocument`, `GetDocument`): versions are
    /// numbered from 1, and some may have been deleted.
    async fn version_that_holds(&self, name: &str, yaml: &str) -> Result<Option<String>, AwsError> {
        let Ssm { client, calls, .. } = self;
        let answer = call!(calls, "DescribeDocument", client.describe_document().name(name))?;
        let latest = answer.document().and_then(|document| document.latest_version());
        let latest: u64 = latest.and_then(|version| version.parse().ok()).unwrap_or_default();
        // It is returned as JSON, whatever it was created from.
        let Ok(wanted) = DocumentContent::parse(yaml) else { return Ok(None) };
        let holds = |text: &str| DocumentContent::parse(text).is_ok_and(|found| found.is_same_document(&wanted));
        for version in (1..=latest).rev().map(|version| version.to_string()) {
            match self.document(name, Some(&version)).await {
                Ok(document) if holds(&document.content) => return Ok(Some(version)),
                Err(error) if error.code != "InvalidDocumentVersion" => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Marks a document as ours (`AddTagsToResource`).
    pub async fn tag_document(&self, name: &str) -> Result<(), AwsError> {
        let Ssm { client, calls, .. } = self;
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build();
        let tag = tag.map_err(|error| unbuilt("AddTagsToResource", &error))?;
        let request = client.add_tags_to_resource().resource_type(ResourceTypeForTagging::Document).resource_id(name);
        call!(calls, "AddTagsToResource", request.tags(tag)).map(drop)
    }

    /// Shares a document with more accounts (`ModifyDocumentPermission`).
    pub async fn share_document(&self, name: &str, accounts: &[String]) -> Result<(), AwsError> {
        let Ssm { client, calls, .. } = self;
        for some in accounts.chunks(ACCOUNTS_A_CALL) {
            let request = client
                .modify_document_permission()
                .name(name)
                .permission_type(DocumentPermissionType::Share)
                .set_account_ids_to_add(Some(some.to_vec()));
            call!(calls, "ModifyDocumentPermission", request)?;
        }
        Ok(())
    }

    /// Takes a document away (`DeleteDocument`); it is shared with nobody before.
    pub async fn delete_document(&self, name: &str, shared: &[String]) -> Result<(), AwsError> {
        let Ssm { client, calls, .. } = self;
        for some in shared.chunks(ACCOUNTS_A_CALL) {
            let request = client
                .modify_document_permission()
                .name(name)
                .permission_type(DocumentPermissionType::Share)
                .set_account_ids_to_remove(Some(some.to_vec()));
            call!(calls, "ModifyDocumentPermission", request)?;
        }
        call!(calls, "DeleteDocument", client.delete_document().name(name)).map(drop)
    }
}
