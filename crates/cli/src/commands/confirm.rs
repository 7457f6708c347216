//! The question before anything is changed.

use std::io::{BufRead, IsTerminal};

use orgseal_core::campaign::{Decide, Preview, WaveQuestion};
use orgseal_core::judge::guards::legacy_clients::NOTICE;
use orgseal_core::model::Operation;
use orgseal_report::counted;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::listen::{Screen, clock};
use crate::output;

/// Whether the question can be asked, if it has to be.
pub(crate) fn possible(command: &str, answered: bool, has_dry_run: bool) -> Result<(), Failure> {
    possible_after(command, answered, if has_dry_run { "--dry-run" } else { "`orgseal status`" })
}

/// The same for a command before which one looks in another way.
pub(crate) fn possible_after(command: &str, answered: bool, look: &str) -> Result<(), Failure> {
    if answered || std::io::stdin().is_terminal() {
        return Ok(());
    }
    let help = format!("look first with {look}, then add --yes");
    Err(Failure::plain(format!("{command} asks before it changes anything, and there is no terminal to ask on"), help))
}

/// Asks a person, or answers for one who said so beforehand.
pub(crate) struct Asker {
    /// Everything that is asked about changes is answered with yes.
    pub(crate) yes: bool,
    pub(crate) screen: Screen,
    pub(crate) stop: CancellationToken,
    /// SHA-256 of the approved plan that is carried out.
    pub(crate) plan_sha256: Option<String>,
}

impl Decide for Asker {
    fn asks(&self) -> bool {
        !self.yes
    }

    async fn change(&self, preview: Preview) -> bool {
        if self.yes {
            return true;
        }
        self.screen.suspend(|| show(&preview, self.plan_sha256.as_deref()));
        ask("Change them? [y/N] ", &self.screen, &self.stop).await
    }

    /// A wave's approval is a person's: `--yes` does not give it.
    async fn wave(&self, wave: WaveQuestion) -> bool {
        if self.yes || !std::io::stdin().is_terminal() {
            return false;
        }
        self.screen.suspend(|| {
            let WaveQuestion { number, of, name, buckets, accounts, before } = &wave;
            let them = there(*buckets, *accounts);
            output::err_wrapped(&format!("\nWave {number} of {of}, {name}: {them}."));
            before.iter().for_each(|line| output::err_wrapped(&format!("  {line}")));
        });
        ask("Let it begin? [y/N] ", &self.screen, &self.stop).await
    }
}

/// Asks a question on the terminal; everything but a yes is a no, and so is an interrupt.
pub(crate) async fn ask(question: &'static str, screen: &Screen, stop: &CancellationToken) -> bool {
    screen.pause();
    output::ask(question);
    // It goes on waiting for the line when the run is stopped: nothing else may wait for it.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).is_ok()
            && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    });
    let said = tokio::select! {
        answer = answer => answer.unwrap_or(false),
        () = stop.cancelled() => false,
    };
    screen.go_on();
    said
}

fn there(buckets: u64, accounts: usize) -> String {
    format!("{} in {}", counted(buckets, "bucket"), counted(accounts as u64, "account"))
}

fn show(preview: &Preview, plan_sha256: Option<&str>) {
    let Preview { buckets, accounts, document, .. } = preview;
    let does = match preview.operation {
        Operation::Seal => "change the default encryption",
        Operation::Restore => "put back the former default encryption",
    };
    let them = there(*buckets, *accounts);
    output::err_wrapped(&format!("\nDocument {document} would {does} of {them}:"));
    if let Some(plan) = &preview.plan {
        output::err(&format!("It carries out the approved plan {plan}."));
        if let Some(sha256) = plan_sha256 {
            output::err(&format!("  SHA-256 {sha256}"));
        }
    }
    if let Some(campaign) = &preview.undoes {
        output::err(&format!("It undoes campaign {campaign}."));
    }
    for region in &preview.regions {
        let count = format!("  {:<16} {:>7}", region.region, region.buckets);
        match (&region.fault, &region.key) {
            (Some(fault), _) => output::err(&format!("{count}  held: {fault}")),
            (None, Some(key)) => output::err(&format!("{count}  -> {key}")),
            (None, None) => output::err(&count),
        }
    }
    for wave in &preview.waves {
        let bake = match wave.bake.as_secs() {
            0 => String::new(),
            seconds => format!(", then watched for {}", clock(seconds)),
        };
        let approval = if wave.approval { ", needs approval" } else { "" };
        output::err(&format!(
            "  wave {:<2} {:<16} {:>7}{bake}{approval}",
            wave.number,
            wave.name,
            there(wave.buckets, wave.accounts)
        ));
    }
    let summary = &preview.summary;
    let done = match preview.operation {
        Operation::Seal => format!("{} sealed already", counted(summary.sealed, "bucket")),
        Operation::Restore => format!("{} as before already", counted(summary.restored, "bucket")),
    };
    let exempt = if summary.exempt > 0 { format!(", {} exempt", summary.exempt) } else { String::new() };
    output::err_wrapped(&format!("{done}, {} held{exempt}, {} not readable.", summary.held, summary.unread));
    if preview.operation == Operation::Seal {
        output::err_wrapped(&format!("Beware: {NOTICE}."));
    }
    if preview.in_flight > 0 {
        let them = counted(preview.in_flight, "bucket");
        output::err_wrapped(&format!(
            "Under way on {them}, and followed in any case: executions that were started before."
        ));
    }
}
