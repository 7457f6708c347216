//! The waves of the campaign file: who is in them, and the commands that are run while they bake.

use std::path::Path;

use crate::config::{CampaignFile, Wave};
use crate::model::{Account, Check, CheckKind, Standing};
use crate::plan::{WaveMap, idle_patterns};

/// What is named and not there, and who is in no wave. `listed` are all accounts of the organization, `accounts` those of the
/// campaign.
pub(super) fn waves(file: &CampaignFile, listed: &[Account], accounts: &[Account]) -> Vec<Check> {
    let kind = CheckKind::Waves;
    let waves = file.waves();
    let called = |number: u32| {
        let name = waves.get(number.saturating_sub(1) as usize).map(|wave| wave.name.as_str());
        format!("wave {number} ({})", name.unwrap_or_default())
    };
    let idle = idle_patterns(&waves, listed).into_iter().map(|(number, pattern)| {
        let message = format!("{} has \"{pattern}\", which matches no account of the organization", called(number));
        Check::new(kind, Standing::Failed, message)
            .fix("correct it in [[waves]]: account IDs or names in `accounts`, OU IDs in `ous`")
            .fact("wave", number.to_string())
            .fact("pattern", pattern)
    });
    let mut checks: Vec<Check> = idle.collect();
    let map = WaveMap::new(&waves, accounts);
    let left_out = accounts.iter().filter(|account| map.may_leave_out(&account.id)).count();
    if left_out > 0 {
        let message = format!(
            "{left_out} of {} accounts are in no wave: their buckets are held, except those that a wave selects by \
             buckets_percent",
            accounts.len()
        );
        let fix = "add a last wave with accounts_percent = 100, unless these accounts are excluded on purpose";
        checks.push(Check::new(kind, Standing::Warning, message).fix(fix).fact("accounts", left_out.to_string()));
    }
    if checks.is_empty() {
        let message = format!("all {} accounts are in a wave", accounts.len());
        checks.push(Check::new(kind, Standing::Ok, message));
    }
    checks
}

/// Whether the programs are there that waves run at each look; nothing where none runs one.
pub(super) fn commands(waves: &[Wave]) -> Vec<Check> {
    let kind = CheckKind::WaveCommand;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let programs = waves.iter().filter_map(|wave| Some((wave, wave.command.first()?)));
    programs
        .map(|(wave, program)| {
            let found = match Path::new(program).components().count() > 1 || program.contains('/') {
                true => runs(Path::new(program)),
                false => !program.is_empty() && folders.iter().any(|folder| runs(&folder.join(program))),
            };
            let check = match found {
                true => Check::new(kind, Standing::Ok, format!("{program}, which wave {} runs, exists", wave.name)),
                false => Check::new(
                    kind,
                    Standing::Failed,
                    format!("wave {} runs {program:?}, which does not exist or is not executable", wave.name),
                )
                .fix("set the wave's `command` to an executable file, by its path or by its name in PATH"),
            };
            check.fact("program", program.clone())
        })
        .collect()
}

/// Whether a path is a file that may be executed. A relative one is looked for where orgseal is run, as it will be.
fn runs(path: &Path) -> bool {
    let Ok(file) = path.metadata() else { return false };
    file.is_file() && may_execute(&file)
}

#[cfg(unix)]
fn may_execute(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn may_execute(_: &std::fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_path_or_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain.txt");
        std::fs::write(&plain, "").unwrap();
        let wave = |program: &str| Wave { command: vec![program.to_owned(), "x".to_owned()], ..Wave::default() };
        for (program, standing) in [
            ("sh", Standing::Ok),
            ("/bin/sh", Standing::Ok),
            ("no-such-program-anywhere", Standing::Failed),
            ("./no-such-program-anywhere", Standing::Failed),
            ("/bin", Standing::Failed),
            ("", Standing::Failed),
            (plain.to_str().unwrap(), Standing::Failed),
        ] {
            let checks = commands(&[wave(program), Wave::default()]);
            assert_eq!(checks.iter().map(|check| check.standing).collect::<Vec<_>>(), [standing], "{program}");
        }
    }
}
