//! Reading a file that a person names: with a limit to its size and to the time that it takes, since the name may be that of a
//! device, or of a pipe that nobody writes to.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// A campaign file has some kilobytes; ten thousand exemptions have two or three megabytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// What a process substitution, `--config <(generate)`, may take.
const LONGEST: Duration = Duration::from_secs(30);

/// The text of a file or of a pipe.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    read_within(path, LARGEST, LONGEST)
}

fn read_within(path: &Path, largest: u64, longest: Duration) -> Result<String> {
    let (answer, answered) = mpsc::channel();
    let owned = path.to_owned();
    // Opening a pipe waits for somebody who writes to it: a thread can be left behind, a call cannot.
    std::thread::spawn(move || {
        // Nobody waits any more after the deadline.
        let _ = answer.send(read(&owned, largest));
    });
    answered.recv_timeout(longest).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::TimedOut, format!("nothing more came within {} seconds", longest.as_secs())))
    })
}

fn read(path: &Path, largest: u64) -> Result<String> {
    // Before it is opened: to open a device may do something (rewind a tape, wait for a line).
    refuse_devices(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    refuse_devices(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        let megabytes = largest / 1024 / 1024;
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {megabytes} MiB")));
    }
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(unix)]
fn refuse_devices(metadata: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a device, not a file"));
    }
    if kind.is_socket() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a socket, not a file"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_devices(_: &std::fs::Metadata) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "12345").unwrap();
        let within = |largest| read_within(&path, largest, LONGEST);
        assert_eq!(within(5).unwrap(), "12345");
        assert_eq!(within(4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(within(5).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(read_text(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_an_error_and_a_pipe_is_read() {
        for device in ["/dev/zero", "/dev/null"] {
            assert!(read_text(Path::new(device)).unwrap_err().to_string().contains("is a device"), "{device}");
        }
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = pipe.clone();
        std::thread::spawn(move || std::fs::write(writer, "written").unwrap());
        assert_eq!(read_text(&pipe).unwrap(), "written");
        let silent = read_within(&pipe, LARGEST, Duration::from_millis(50)).unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::TimedOut);
    }
}
