//! All files of the groundwork, byte for byte the same for the same campaign file; and what differs from them in a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use orgseal_core::atomic_file::AtomicFile;
use serde::Serialize;

use crate::documents::{self, DocumentError};
use crate::groundwork::{Groundwork, PLAIN};
use crate::policies::{self, Kind, TooLarge};
use crate::{cloudformation, json, shell, terraform};

/// AWS Config takes so many characters of a rule's parameters [model].
const RULE_PARAMETERS: usize = 1_024;

/// A file of the groundwork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the folder, with `/`.
    pub path: String,
    /// What it holds.
    pub content: String,
    /// It is a script.
    pub executable: bool,
}

/// Why the groundwork cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A policy is too long.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// A shipped document cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file cannot be read or written.
    #[error("{} cannot be {what}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        what: &'static str,
        /// Why.
        why: io::Error,
    },
}

/// How a folder differs from what would be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The file is not there.
    Missing,
    /// It holds something else.
    Differs,
}

/// Every file of a campaign's groundwork.
pub fn render(groundwork: &Groundwork) -> Result<Vec<File>, RenderError> {
    let mut files = Vec::new();
    let mut put = |path: String, content: String| files.push(File { path, content, executable: false });
    for policy in policies::access(groundwork) {
        policy.minified()?;
        put(format!("policies/{}.json", policy.name), json::pretty(&policy.tree));
    }
    for policy in policies::guardrails(groundwork) {
        put(format!("guardrails/{}.min.json", policy.name), policy.minified()?);
        put(format!("guardrails/{}.json", policy.name), json::pretty(&policy.tree));
    }
    let document = &groundwork.file.document;
    for (name, shipped) in [(&document.name, documents::seal()?), (&document.restore, documents::restore()?)] {
        put(format!("documents/{name}.yaml"), shipped.yaml.to_owned());
        put(format!("documents/{name}.json"), json::pretty(&shipped.tree));
    }
    for region in groundwork.regions() {
        let parameters = format!("{{\"kmsKeyArns\":\"{}\"}}", groundwork.keys_in(&region).join(",")).chars().count();
        if parameters > RULE_PARAMETERS {
            let name = format!("s3-default-encryption-kms in {region} (its parameters)");
            return Err(TooLarge { name, length: parameters, limit: RULE_PARAMETERS }.into());
        }
        let pack = cloudformation::conformance_pack(groundwork, &region);
        put(format!("aws-config/conformance-pack-{region}.yaml"), pack);
    }
    for (name, template) in cloudformation::templates(groundwork)? {
        put(format!("cloudformation/{name}"), json::pretty(&template));
    }
    for (name, module) in terraform::modules(groundwork) {
        put(format!("terraform/{name}"), module);
    }
    for (path, page) in pages(groundwork) {
        put(path.to_owned(), page);
    }
    let script = shell::script(groundwork);
    files.push(File { path: "shell/deploy.sh".to_owned(), content: script, executable: true });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// What is said to people.
fn pages(groundwork: &Groundwork) -> Vec<(&'static str, String)> {
    let file = &groundwork.file;
    let (home, regions) = (&groundwork.home_region, groundwork.regions().join(", "));
    let security = &groundwork.security;
    let (places, replica) = match groundwork.is_multi_region() {
        true => (
            home.clone(),
            format!(
                "| `central-key-replica.json` | security account {security}, each other Region of {regions} | a stack in each |\n"
            ),
        ),
        false => (regions.clone(), String::new()),
    };
    let (document_places, document_how) = match &file.document.owner {
        Some(owner) => (
            format!("the account that shares them, {owner}; {regions}"),
            "a stack in each Region; then share both documents with the members (`ModifyDocumentPermission`, at most 1,000 accounts)",
        ),
        None => (format!("every member account, {regions}"), "a service-managed StackSet with automatic deployment"),
    };
    let (row, note) = match &file.bootstrap.management_account {
        Some(account) => (
            format!("| `management-account.json` | the management account {account}, {home} | a stack of its own |\n"),
            ": `management-account.json` is its stack".to_owned(),
        ),
        None => (String::new(), ", which is out of scope until `bootstrap.management_account` names it".to_owned()),
    };
    let filling = groundwork
        .with(PLAIN)
        .filling()
        .text("key_places", places)
        .text("replica_row", replica)
        .text("document_places", document_places)
        .text("document_how", document_how)
        .text("management_row", row)
        .text("management_note", note)
        .text("regions_listed", &regions)
        .text("limit", Kind::Control.limit().to_string());
    [
        ("README.md", include_str!("templates/README.md")),
        ("cloudformation/README.md", include_str!("templates/README-cloudformation.md")),
        ("terraform/README.md", include_str!("templates/README-terraform.md")),
        ("shell/README.md", include_str!("templates/README-shell.md")),
        ("guardrails/README.md", include_str!("templates/README-guardrails.md")),
    ]
    .map(|(path, page)| (path, filling.fill_text(page)))
    .to_vec()
}

/// What differs in a folder. Files that are not of the groundwork are nobody's business.
pub fn compare(folder: &Path, files: &[File]) -> Result<Vec<(String, Difference)>, RenderError> {
    let mut found = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        match fs::read(&path) {
            Ok(content) if content == file.content.as_bytes() => {}
            Ok(_) => found.push((file.path.clone(), Difference::Differs)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.push((file.path.clone(), Difference::Missing));
            }
            Err(why) => return Err(RenderError::File { path, what: "read", why }),
        }
    }
    Ok(found)
}

/// Writes what differs, each file whole or not at all.
pub fn write(folder: &Path, files: &[File]) -> Result<Vec<(String, Difference)>, RenderError> {
    let differences = compare(folder, files)?;
    for file in files.iter().filter(|file| differences.iter().any(|(path, _)| *path == file.path)) {
        let path = folder.join(&file.path);
        put(&path, file).map_err(|why| RenderError::File { path: path.clone(), what: "written", why })?;
    }
    Ok(differences)
}

fn put(path: &Path, file: &File) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut out = AtomicFile::create(path)?;
    out.write_all(file.content.as_bytes())?;
    #[cfg(unix)]
    if file.executable {
        out.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    out.commit()
}
