//! Writes keys that were made into the campaign file, in place of `key/NEW`; everything else in it stays as it was written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use orgseal_bootstrap::deployed::KeyMade;
use orgseal_core::atomic_file::AtomicFile;
use orgseal_core::model::KeyArn;
use toml_edit::visit_mut::{VisitMut, visit_table_like_kv_mut};
use toml_edit::{DocumentMut, Formatted, Item, KeyMut, Value};

use crate::failure::Failure;

/// The file with a key's ARN in place of `placeholder`, wherever it is the value of a setting. Comments and layout stay as they are. A
/// multi-Region key is named once for all Regions, so its replicas need no place of their own. `None` where no setting has that value.
pub(super) fn replaced(text: &str, placeholder: &str, arn: &KeyArn) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let mut values = Replacement { placeholder, arn: arn.to_string(), replaced: false, multi_region: false };
    values.visit_document_mut(&mut document);
    let is_replica = arn.id.starts_with("mrk-") && values.multi_region;
    (values.replaced || is_replica).then(|| document.to_string())
}

/// Replaces one text value of a TOML document.
struct Replacement<'a> {
    placeholder: &'a str,
    arn: String,
    replaced: bool,
    /// The document has a setting `multi_region_key`.
    multi_region: bool,
}

impl VisitMut for Replacement<'_> {
    fn visit_table_like_kv_mut(&mut self, key: KeyMut<'_>, node: &mut Item) {
        self.multi_region |= key.get() == "multi_region_key";
        visit_table_like_kv_mut(self, key, node);
    }

    fn visit_string_mut(&mut self, node: &mut Formatted<String>) {
        if node.value() != self.placeholder {
            return;
        }
        // An ARN needs no escapes, so the value keeps the kind of quotes that it had.
        let is_literal =
            node.as_repr().and_then(|repr| repr.as_raw().as_str()).is_some_and(|raw| raw.starts_with('\''));
        let quote = if is_literal { '\'' } else { '"' };
        if let Ok(Value::String(new)) = format!("{quote}{}{quote}", self.arn).parse() {
            let decor = node.decor().clone();
            *node = new;
            *node.decor_mut() = decor;
            self.replaced = true;
        }
    }
}

/// Whether keys that are to be made can be written into the file: asked before they are.
pub(super) fn takes(path: &Path, keys: &[KeyArn]) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::plain(
            format!("no key was made, since its ARN could not be written into {}: {why}", path.display()),
            "write each as REGION = \"arn:…:key/NEW\" under [central_key] in the file itself, which must be yours to write",
        )
    };
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if let Some(key) = keys.iter().find(|key| replaced(&text, &key.to_string(), key).is_none()) {
        return Err(failed(format!("it does not contain {key}")));
    }
    let whole = fs::canonicalize(path).map_err(|error| failed(error.to_string()))?;
    AtomicFile::create(&whole).map(drop).map_err(|error| failed(error.to_string()))
}

/// Writes it, whole or not at all. A link stays one.
pub(super) fn write(path: &Path, made: &KeyMade) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        let said = format!("key {} was created, but could not be written to {}: {error}", made.arn, path.display());
        Failure::plain(said, format!("write it to [central_key] yourself: {} = \"{}\"", made.arn.region, made.arn))
    };
    let put = || -> io::Result<()> {
        let path = fs::canonicalize(path)?;
        let text = fs::read_to_string(&path)?;
        let new = replaced(&text, &made.placeholder, &made.arn)
            .ok_or_else(|| io::Error::other(format!("it does not contain {}", made.placeholder)))?;
        let mut file = AtomicFile::create(&path)?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.write_all(new.as_bytes())?;
        file.commit()
    };
    put().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_is_replaced() {
        let old = "arn:aws:kms:us-east-1:111122223333:key/NEW";
        let new: KeyArn =
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        for quote in ['"', '\''] {
            let text = format!("# \"{old}\" is made\n[central_key]\nus-east-1 = {quote}{old}{quote} # ours\n");
            let expected = format!("# \"{old}\" is made\n[central_key]\nus-east-1 = {quote}{new}{quote} # ours\n");
            assert_eq!(replaced(&text, old, &new).unwrap(), expected);
        }
        assert_eq!(replaced("[central_key]\n", old, &new), None);
        let inline = format!("central_key = {{ us-east-1 = \"{old}\" }}\nnote = \"\"\"\n\"{old}\" is a text\"\"\"\n");
        assert_eq!(
            replaced(&inline, old, &new).unwrap(),
            inline.replacen(&format!("= \"{old}\""), &format!("= \"{new}\""), 1)
        );
    }

    #[test]
    fn a_replica_of_a_key_named_once_is_there_already() {
        let text = "multi_region_key = \"arn:aws:kms:us-east-1:111122223333:key/mrk-1\"\n";
        let replica: KeyArn = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1".parse().unwrap();
        assert_eq!(replaced(text, "arn:aws:kms:eu-west-1:111122223333:key/mrk-NEW", &replica).as_deref(), Some(text));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("c.toml"));
        fs::write(&file, "us-east-1 = \"arn:aws:kms:us-east-1:111122223333:key/NEW\"\n").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let placeholder = "arn:aws:kms:us-east-1:111122223333:key/NEW".to_owned();
        let arn: KeyArn = "arn:aws:kms:us-east-1:111122223333:key/abc".parse().unwrap();
        assert!(takes(&link, &[placeholder.parse().unwrap()]).is_ok());
        let step = orgseal_bootstrap::deployed::KeyStep::Made;
        assert!(write(&link, &KeyMade { placeholder, arn, step }).is_ok());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&file).unwrap().contains("key/abc"));
        assert!(takes(&link, &["arn:aws:kms:us-east-1:111122223333:key/NEW".parse().unwrap()]).is_err());
    }
}
