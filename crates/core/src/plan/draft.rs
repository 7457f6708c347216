//! A file for people that is written whole or not at all, and in the place of nothing but an earlier one of its kind.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::error::{Content, PlanError};
use crate::atomic_file::{AtomicFile, directory_of};

/// Whether something may be written to a path: nothing stands there, or an earlier file of its kind, and its folder takes a new
/// file. Asked before an organization is read, which may take an hour.
pub fn check_place(path: &Path, content: Content) -> Result<(), PlanError> {
    let no_place = |why: String| PlanError::NoPlace { of: content, path: path.to_owned(), why };
    if path.file_name().is_none() || path.as_os_str().to_string_lossy().ends_with('/') {
        return Err(no_place("it is a directory".to_owned()));
    }
    may_be_replaced(path, content)?;
    let folder = directory_of(path);
    match std::fs::metadata(folder) {
        Err(error) => return Err(no_place(format!("its directory {}: {error}", folder.display()))),
        Ok(metadata) if !metadata.is_dir() => return Err(no_place(format!("{} is not a directory", folder.display()))),
        Ok(_) => {}
    }
    // No bits of a mode say it as surely as the file system itself.
    AtomicFile::create(path)
        .map(drop)
        .map_err(|error| no_place(format!("its directory {} is not writable: {error}", folder.display())))
}

/// Whether two paths name one file, there or not.
#[must_use]
pub fn same_file(one: &Path, other: &Path) -> bool {
    let whole =
        |path: &Path| std::fs::canonicalize(directory_of(path)).ok().zip(path.file_name().map(ToOwned::to_owned));
    one == other || whole(one).is_some_and(|one| whole(other) == Some(one))
}

fn may_be_replaced(path: &Path, content: Content) -> Result<(), PlanError> {
    let no_place = |why: String| PlanError::NoPlace { of: content, path: path.to_owned(), why };
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(no_place(error.to_string())),
        Ok(metadata) => metadata,
    };
    let kind = metadata.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else if kind.is_symlink() {
            "a symbolic link"
        } else {
            "a device, pipe or socket"
        };
        return Err(no_place(format!("{what} exists there")));
    }
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(256).read_to_end(&mut beginning))
        .map_err(|error| no_place(format!("a file exists there, but it cannot be read: {error}")))?;
    match content.begins(&beginning) {
        true => Ok(()),
        false => {
            let kind = if content == Content::Plan { "plan" } else { "plan as Markdown" };
            Err(no_place(format!("a file exists there that is not a {kind} of orgseal")))
        }
    }
}

/// A file on its way: beside its place, until it is whole. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    content: Content,
    out: AtomicFile,
}

impl Draft {
    /// Begins one.
    pub fn begin(path: &Path, content: Content) -> Result<Draft, PlanError> {
        may_be_replaced(path, content)?;
        let out = AtomicFile::create(path).map_err(|error| PlanError::NoPlace {
            of: content,
            path: path.to_owned(),
            why: format!("no new file can be created beside it: {error}"),
        })?;
        Ok(Draft { path: path.to_owned(), content, out })
    }

    /// Lets only its owner read it.
    pub(super) fn make_private(&self) -> io::Result<()> {
        #[cfg(unix)]
        self.out.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }

    /// Puts the file in its place, durably.
    pub fn commit(self) -> Result<(), PlanError> {
        // Something may have come there meanwhile.
        may_be_replaced(&self.path, self.content)?;
        let Draft { path, out, .. } = self;
        out.commit().map_err(|error| PlanError::Unwritable { path, why: error.to_string() })
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_but_its_own_kind_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("plan.json"), "{\n  \"schema\": \"orgseal.plan/1\",\n").unwrap();
        std::fs::write(at("shown.json"), "{\n  \"schema\": \"orgseal.plan-shown/1\",\n").unwrap();
        std::fs::write(at("plan.md"), "# Plan plan-1\n").unwrap();
        std::fs::write(at("empty"), "").unwrap();
        std::os::unix::fs::symlink(at("plan.json"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let before = files();
        for (name, content) in [
            ("plan.json", Content::Plan),
            ("plan.md", Content::Markdown),
            ("new", Content::Plan),
            ("new.md", Content::Markdown),
        ] {
            check_place(&at(name), content).unwrap();
        }
        for (name, content, words) in [
            ("plan.md", Content::Plan, "not a plan of orgseal"),
            ("shown.json", Content::Plan, "not a plan of orgseal"),
            ("empty", Content::Plan, "not a plan of orgseal"),
            ("plan.json", Content::Markdown, "not a plan as Markdown of orgseal"),
            ("link", Content::Plan, "a symbolic link exists there"),
            ("socket", Content::Plan, "a device, pipe or socket exists there"),
            ("", Content::Plan, "it is a directory"),
            ("new/", Content::Plan, "it is a directory"),
            ("not/there.json", Content::Plan, "its directory"),
            ("plan.json/there.json", Content::Plan, "a directory"),
        ] {
            let error = check_place(&at(name), content).unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
        }
        let error = check_place(folder.path(), Content::Plan).unwrap_err().to_string();
        assert!(error.contains("a directory exists there"), "{error}");
        // An unfinished one is gone, a finished one is in its place, and what came there meanwhile stays.
        let mut draft = Draft::begin(&at("new"), Content::Plan).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        let late = Draft::begin(&at("late"), Content::Plan).unwrap();
        std::fs::write(at("late"), "theirs").unwrap();
        assert!(late.commit().is_err());
        std::fs::remove_file(at("late")).unwrap();
        assert_eq!(files(), before);
        let mut draft = Draft::begin(&at("plan.json"), Content::Plan).unwrap();
        draft.write_all(b"another").unwrap();
        draft.commit().unwrap();
        assert_eq!((std::fs::read(at("plan.json")).unwrap(), files()), (b"another".to_vec(), before));
    }

    #[test]
    fn one_file_has_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(same_file(&at("a"), &at("./a")) && same_file(&at("a"), &at(".").join("a")));
        assert!(!same_file(&at("a"), &at("b")) && same_file(Path::new("a"), Path::new("./a")));
    }
}
