//! Writes keys that were made into the campaign file, in place of `key/NEW`; everything else in it stays as it was written.

use std::fs;
use std::io;
use std::path::Path;

use orgseal_bootstrap::deployed::KeyMade;

use crate::failure::Failure;

/// The line of the file that names a new key, and what it is to be. A multi-Region key is named once for all Regions.
pub(super) fn replaced(text: &str, made: &KeyMade) -> Option<String> {
    let quoted = format!("\"{}\"", made.placeholder);
    if text.contains(&quoted) {
        return Some(text.replace(&quoted, &format!("\"{}\"", made.arn)));
    }
    // `multi_region_key` names the key of one Region, and a replica has the same id.
    (made.arn.id.starts_with("mrk-") && text.contains(&format!("key/{}\"", made.arn.id))).then(|| text.to_owned())
}

/// Writes it, whole or not at all.
pub(super) fn write(path: &Path, made: &KeyMade) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        let said = format!("key {} was made, and cannot be written into {}: {error}", made.arn, path.display());
        Failure::plain(said, format!("put it into [central_key] yourself: {} = \"{}\"", made.arn.region, made.arn))
    };
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let new = replaced(&text, made).ok_or_else(|| {
        failed(&io::Error::other(format!("{} is not in it: a flag or a variable says so", made.placeholder)))
    })?;
    let part = path.with_extension("orgseal-part");
    let put = || -> io::Result<()> {
        fs::write(&part, &new)?;
        fs::set_permissions(&part, fs::metadata(path)?.permissions())?;
        fs::rename(&part, path)
    };
    put().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use orgseal_bootstrap::deployed::KeyStep;

    use super::*;

    fn made(placeholder: &str, arn: &str) -> KeyMade {
        KeyMade { placeholder: placeholder.to_owned(), arn: arn.parse().unwrap(), step: KeyStep::Made }
    }

    #[test]
    fn only_the_key_is_replaced() {
        let text =
            "# key/NEW is made\n[central_key]\nus-east-1 = \"arn:aws:kms:us-east-1:111122223333:key/NEW\" # ours\n";
        let new = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let made = made("arn:aws:kms:us-east-1:111122223333:key/NEW", new);
        assert_eq!(
            replaced(text, &made).unwrap(),
            format!("# key/NEW is made\n[central_key]\nus-east-1 = \"{new}\" # ours\n")
        );
        assert_eq!(replaced("[central_key]\n", &made), None);
    }

    #[test]
    fn a_replica_of_a_key_named_once_is_there_already() {
        let text = "multi_region_key = \"arn:aws:kms:us-east-1:111122223333:key/mrk-1\"\n";
        let replica =
            made("arn:aws:kms:eu-west-1:111122223333:key/mrk-NEW", "arn:aws:kms:eu-west-1:111122223333:key/mrk-1");
        assert_eq!(replaced(text, &replica).as_deref(), Some(text));
    }
}
