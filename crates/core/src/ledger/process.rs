//! Whether the process that works on a run is still there. A process that was ended by force leaves its run "running" in the ledger.
//!
//! Nothing is written to the ledger: each reader determines the state of the process again.

use super::lock::{Holder, Lock};
use super::reader::moment;
use super::{LedgerError, Reader, Run, Session};
use crate::host::host;

/// A process on another machine cannot be asked after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Process {
    /// The run has ended, or nobody checked.
    #[default]
    NotChecked,
    /// The process is running.
    AtWork,
    /// It was ended by force.
    Gone {
        /// Its number.
        pid: u32,
        /// Its machine.
        host: String,
    },
    /// It is, or was, on another machine.
    Unclear {
        /// Its number.
        pid: u32,
        /// Its machine.
        host: String,
        /// When it last wrote an entry.
        last_entry_at: Option<jiff::Timestamp>,
    },
}

impl Reader {
    /// The run with what is known of its process. One whose process was ended by force is interrupted, whatever the ledger says.
    pub fn with_process(&self, run: Run) -> Result<Run, LedgerError> {
        if run.state != "running" {
            return Ok(run);
        }
        let Some(session) = self.sessions(&run)?.pop() else { return Ok(run) };
        let process = match self.is_at_work(&run, &session)? {
            Some(true) => Process::AtWork,
            Some(false) => Process::Gone { pid: session.by.pid, host: session.by.host },
            None => {
                let last_entry_at = self.last_entry_at(&run)?;
                Process::Unclear { pid: session.by.pid, host: session.by.host, last_entry_at }
            }
        };
        let state = if matches!(process, Process::Gone { .. }) { "interrupted".to_owned() } else { run.state };
        Ok(Run { state, process, ..run })
    }

    /// `None`: nobody can tell from here.
    fn is_at_work(&self, run: &Run, session: &Session) -> Result<Option<bool>, LedgerError> {
        // Buckets are changed under the lock alone, and the kernel drops it with the process. A dry run has none.
        if run.stage == "changing" {
            return Ok(Some(match Lock::holder_of(self.folder())? {
                Holder::Nobody => false,
                Holder::Unnamed => true,
                Holder::Process { pid, host } => (pid, &host) == (session.by.pid, &session.by.host),
            }));
        }
        Ok((session.by.host == host()).then(|| is_running(session)))
    }

    fn last_entry_at(&self, run: &Run) -> Result<Option<jiff::Timestamp>, LedgerError> {
        let sql = "SELECT at FROM entry WHERE run = ?1 ORDER BY seq DESC LIMIT 1";
        let newest: Vec<i64> = self.gather(sql, [run.number], |row| row.get(0))?;
        Ok(newest.first().copied().map(moment))
    }
}

/// Whether a process of this machine is running. The number may be another process's by now: this one's, say, in a container in which
/// every process is number 1.
fn is_running(session: &Session) -> bool {
    let pid = session.by.pid;
    if pid == std::process::id() {
        return false;
    }
    #[cfg(target_os = "linux")]
    {
        /// More than clocks of one machine differ.
        const MARGIN: i64 = 120;
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        // After the name, which may hold anything: the state, and as the 20th field from there the start.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let is_dead = matches!(fields.first(), Some(&("Z" | "X")));
        let begun = session.started_at.as_second() + session.by.clock_off_seconds.unwrap_or_default();
        let is_younger =
            fields.get(19).and_then(|ticks| started_at(ticks.parse().ok()?)).is_some_and(|at| at > begun + MARGIN);
        !is_dead && !is_younger
    }
    #[cfg(not(target_os = "linux"))]
    {
        let listed = std::process::Command::new("ps").args(["-p", &pid.to_string(), "-o", "pid="]).output();
        // Without `ps` nobody says that it has ended.
        listed.map_or(true, |listed| listed.status.success())
    }
}

/// When a process started, in Unix seconds, from the kernel's ticks since the machine's start.
#[cfg(target_os = "linux")]
fn started_at(ticks: i64) -> Option<i64> {
    /// USER_HZ, the same on every architecture that Rust supports.
    const TICKS_A_SECOND: i64 = 100;
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: i64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + ticks / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::NewSession;

    fn session(pid: u32, started_at: jiff::Timestamp) -> Session {
        let by = NewSession {
            command: "audit".into(),
            caller: String::new(),
            version: String::new(),
            host: host(),
            pid,
            config_hash: String::new(),
            selection: String::new(),
            clock_off_seconds: None,
        };
        Session { by, started_at, ended_at: None, ending: None }
    }

    #[test]
    fn a_process_is_running_until_it_ends_and_its_number_may_be_used_again() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let now = jiff::Timestamp::now();
        assert!(is_running(&session(child.id(), now)));
        // The same number, of a process that began long after the run.
        #[cfg(target_os = "linux")]
        assert!(!is_running(&session(child.id(), now - jiff::SignedDuration::from_hours(2))));
        child.kill().unwrap();
        #[cfg(target_os = "linux")]
        until_dead(child.id());
        #[cfg(target_os = "linux")]
        assert!(!is_running(&session(child.id(), now)), "a process that nobody waited for has ended too");
        child.wait().unwrap();
        assert!(!is_running(&session(child.id(), now)));
        assert!(!is_running(&session(std::process::id(), now)), "this process works on no run");
    }

    #[cfg(target_os = "linux")]
    fn until_dead(pid: u32) {
        while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
