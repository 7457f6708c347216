//! Files that a command may replace: earlier files of its own kind, and nothing else. A wrong path must not cost a campaign file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::failure::Failure;

/// Enough of a file to recognize it.
const BEGINNING: u64 = 2048;

/// What a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// A report in any of its formats.
    Report,
    /// Entries of the ledger as JSON Lines.
    Export,
    /// The campaign file of a sandbox.
    SandboxCampaign,
}

impl Own {
    fn name(self) -> &'static str {
        match self {
            Own::Report => "report",
            Own::Export => "export of a ledger",
            Own::SandboxCampaign => "sandbox's campaign file",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Own::Report | Own::Export => "--output",
            Own::SandboxCampaign => "--write-config",
        }
    }

    /// Whether a file that begins so is one of its kind.
    fn begins(self, beginning: &str) -> bool {
        match self {
            Own::Report => is_report(beginning),
            Own::Export => beginning.starts_with("{\"seq\":"),
            Own::SandboxCampaign => beginning.starts_with("# A campaign file for the simulated organization "),
        }
    }
}

fn is_report(beginning: &str) -> bool {
    let json = ["audit", "rollback"].map(|kind| format!("{{\"schema\":\"orgseal.{kind}/"));
    let terminal = ["Audit of o-", "Plan for o-", "Rollout in o-", "Rollback in o-"];
    let first = beginning.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let packed: String = beginning.chars().filter(|letter| !letter.is_whitespace()).take(64).collect();
    first.starts_with("account,account_name,region,bucket,verdict,")
        || json.iter().any(|json| packed.starts_with(json))
        || terminal.iter().any(|title| first.starts_with(title))
        || is_html(beginning)
}

/// Pages of earlier versions have no generator.
fn is_html(beginning: &str) -> bool {
    let marks = ["<meta name=\"generator\" content=\"orgseal\">", "<title>S3 default encryption in o-"];
    beginning.starts_with("<!DOCTYPE html>") && marks.iter().any(|mark| beginning.contains(mark))
}

/// Refuses to replace a file of another kind. Asked before anything is read or started.
pub(crate) fn check(path: &Path, own: Own) -> Result<(), Failure> {
    let unknown = |error: &std::io::Error| Failure::file("cannot write to", path, error);
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unknown(&error)),
        Ok(metadata) => metadata,
    };
    // Writing to a device or pipe replaces nothing, and an empty file has nothing to lose.
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(());
    }
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning))
        .map_err(|error| unknown(&error))?;
    if own.begins(&String::from_utf8_lossy(&beginning)) {
        return Ok(());
    }
    Err(Failure::plain(
        format!("{} exists and is not a {} written by orgseal: it was not replaced", path.display(), own.name()),
        format!("name another file with {}, or remove this one first", own.flag()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_its_own_kind_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let takes = |content: &str, own| {
            std::fs::write(&path, content).unwrap();
            check(&path, own).is_ok()
        };
        assert!(check(&path, Own::Report).is_ok(), "there is none yet");
        for report in [
            "",
            "{\n  \"schema\": \"orgseal.audit/1\",\n",
            "{\n  \"schema\": \"orgseal.rollback/1\",\n",
            "account,account_name,region,bucket,verdict,reason\n",
            "\nRollout in o-a1b2c3d4e5\nrollout-1",
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"generator\" content=\"orgseal\">",
            "<!DOCTYPE html><html lang=\"en\"><head><title>S3 default encryption in o-a1b2c3d4e5, audit-1</title>",
        ] {
            assert!(takes(report, Own::Report), "{report}");
        }
        for other in [
            "regions = [\"us-east-1\"]\n",
            "# A campaign file for the simulated organization o-1 (seed 1).\n",
            "{\n  \"schema\": \"orgseal.plan/1\",\n",
            "{\"seq\":1,",
            "account,amount\n",
            "<!DOCTYPE html><html><title>Mine</title>",
            "Audit of last year\n",
            "\u{0}\u{1}binary",
        ] {
            assert!(!takes(other, Own::Report), "{other}");
        }
        assert!(takes("{\"seq\":1,\"run\":\"audit-1\"", Own::Export) && !takes("{\"a\":1}", Own::Export));
        assert!(takes("# A campaign file for the simulated organization o-1 (seed 1).\n", Own::SandboxCampaign));
        assert!(!takes("# The campaign file of orgseal, complete.\n", Own::SandboxCampaign));
        assert!(check(Path::new("/dev/null"), Own::Report).is_ok());
    }
}
