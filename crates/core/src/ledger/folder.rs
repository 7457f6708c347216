//! The state directory: made for its owner alone, and refused where anybody could replace what is in it.

use std::path::Path;

use super::LedgerError;

/// Makes a state directory that only its owner can read: the ledger names accounts, buckets and keys.
pub fn make_folder(folder: &Path) -> Result<(), LedgerError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| LedgerError::Folder { path: folder.to_owned(), why: error.to_string() })
}

/// Refuses a state directory that every user may write to. Returns a warning for one that its group may write to: volumes of
/// Kubernetes are.
pub fn check_folder(folder: &Path) -> Result<Option<String>, LedgerError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(found) = std::fs::metadata(folder) else { return Ok(None) };
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o002 != 0 {
            let why = format!(
                "every user of this machine may write to it (mode {mode:04o}) and could replace the ledger: run `chmod o-w {}`",
                folder.display()
            );
            return Err(LedgerError::Folder { path: folder.to_owned(), why });
        }
        if mode & 0o020 != 0 {
            return Ok(Some(format!(
                "every member of its group may write to the state directory {} (mode {mode:04o}) and could replace the ledger; \
                 `chmod g-w` prevents that",
                folder.display()
            )));
        }
    }
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn who_else_may_write_there_decides() {
        let folder = tempfile::TempDir::new().unwrap();
        let checked = |mode: u32| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            check_folder(folder.path())
        };
        assert_eq!(checked(0o700).unwrap(), None);
        assert_eq!(checked(0o755).unwrap(), None);
        assert!(checked(0o2770).unwrap().unwrap().contains("mode 2770"));
        for mode in [0o777, 0o1777, 0o702] {
            assert!(checked(mode).unwrap_err().to_string().contains("chmod o-w"), "{mode:o}");
        }
        checked(0o700).unwrap();
    }
}
