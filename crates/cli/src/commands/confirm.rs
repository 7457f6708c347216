//! The question before anything is changed.

use std::io::{BufRead, IsTerminal};
use std::sync::atomic::{AtomicU32, Ordering};

use orgseal_core::campaign::{Decide, DocumentPreview, Preview, WavePreview, WaveQuestion};
use orgseal_core::judge::guards::legacy_clients::NOTICE;
use orgseal_core::model::{Finding, Operation};
use orgseal_report::{counted, headline_with_unknown};
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
    let help = format!("check first with {look}, then add --yes");
    Err(Failure::plain(format!("{command} asks before it changes anything, and there is no terminal to ask on"), help))
}

/// Asks a person, or answers for one who said so beforehand.
pub(crate) struct Asker {
    /// 0 until an approval is declined.
    declined_wave: AtomicU32,
    /// Everything that is asked about changes is answered with yes.
    yes: bool,
    screen: Screen,
    stop: CancellationToken,
    /// SHA-256 of the approved plan that is carried out.
    plan_sha256: Option<String>,
}

impl Asker {
    pub(crate) fn new(yes: bool, screen: Screen, stop: CancellationToken, plan_sha256: Option<String>) -> Asker {
        Asker { declined_wave: AtomicU32::new(0), yes, screen, stop, plan_sha256 }
    }

    /// The wave whose approval was declined at the prompt.
    pub(crate) fn declined_wave(&self) -> Option<u32> {
        Some(self.declined_wave.load(Ordering::Relaxed)).filter(|wave| *wave > 0)
    }
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
        let question = format!("{} {}? [y/N] ", verb(&preview), counted(preview.buckets, "bucket"));
        ask(&question, &self.screen, &self.stop).await
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
        let approved = ask(&format!("Approve and start wave {}? [y/N] ", wave.number), &self.screen, &self.stop).await;
        if !approved {
            self.declined_wave.store(wave.number, Ordering::Relaxed);
        }
        approved
    }
}

/// Asks a question on the terminal; everything but a yes is a no, and so is an interrupt.
pub(crate) async fn ask(question: &str, screen: &Screen, stop: &CancellationToken) -> bool {
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

/// What the answer does, in a word.
fn verb(preview: &Preview) -> &'static str {
    match preview.operation {
        Operation::Seal => "Change",
        Operation::Restore => "Restore",
    }
}

fn show(preview: &Preview, plan_sha256: Option<&str>) {
    lines(preview, plan_sha256).iter().for_each(|line| output::err_wrapped(line));
}

/// What is shown before the question: what this run does, what waits, what stays as it is, what is unknown.
fn lines(preview: &Preview, plan_sha256: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    let does = match preview.operation {
        Operation::Seal => "changes the default encryption of",
        Operation::Restore => "restores the former default encryption of",
    };
    let until = match preview.until_wave {
        Some(1) => " in wave 1".to_owned(),
        Some(last) => format!(" in the waves up to {last}"),
        None => String::new(),
    };
    lines.push(String::new());
    // Unknown never looks like sealed: the same line as in a report.
    lines.extend(headline_with_unknown(preview.operation, &preview.summary));
    lines.push(format!("This run {does} {}{until}:", there(preview.buckets, preview.accounts)));
    for region in &preview.regions {
        let count = format!("  {:<16} {:>7}", region.region, region.buckets);
        lines.push(match (&region.fault, &region.key) {
            (Some(fault), _) => format!("{count}  held: {fault}"),
            (None, Some(key)) => format!("{count}  -> {key}"),
            (None, None) => count,
        });
    }
    let shown = preview.waves.iter().filter(|wave| wave.buckets > 0 || !preview.resumed);
    lines.extend(shown.map(|wave| wave_line(preview, wave)));
    if preview.later.buckets > 0 {
        let later = there(preview.later.buckets, preview.later.accounts);
        lines.push(format!("Later, not in this run: {later}; `orgseal resume` continues with them."));
    }
    lines.extend(document_lines(preview));
    if let Some(plan) = &preview.plan {
        let sha256 = plan_sha256.map(|sha256| format!(", SHA-256 {sha256}")).unwrap_or_default();
        lines.push(format!("Approved plan: {plan}{sha256}"));
    }
    if let Some(campaign) = &preview.undoes {
        let wave = preview.only_wave.map(|wave| format!("wave {wave} of ")).unwrap_or_default();
        lines.push(format!("Undoes {wave}campaign {campaign}."));
    }
    if !preview.selection.is_empty() {
        lines.push(format!("Selection: {}", preview.selection));
    }
    lines.extend(unchanged_lines(preview));
    if preview.in_flight > 0 {
        let them = counted(preview.in_flight, "bucket");
        lines.push(format!("Executions started earlier are in flight on {them}; they are followed in any case."));
    }
    if preview.operation == Operation::Seal {
        lines.push(format!("Warning: {NOTICE}."));
    }
    lines
}

fn wave_line(preview: &Preview, wave: &WavePreview) -> String {
    let bake = match wave.bake.as_secs() {
        0 => String::new(),
        seconds => format!(", then watched for {}", clock(seconds)),
    };
    let approval = if wave.approval { ", needs approval" } else { "" };
    let later = if preview.until_wave.is_some_and(|last| wave.number > last) { ", not in this run" } else { "" };
    let them = there(wave.buckets, wave.accounts);
    format!("  wave {:<2} {:<16} {them:>7}{bake}{approval}{later}", wave.number, wave.name)
}

fn document_lines(preview: &Preview) -> Vec<String> {
    let name = &preview.document;
    if preview.documents.is_empty() {
        return vec![format!("Document: {name}")];
    }
    let lines = preview.documents.iter().map(|document| {
        let DocumentPreview { version, sha256, regions } = document;
        format!("Document: {name}, version {version}, SHA-256 {sha256} ({})", regions.join(", "))
    });
    lines.collect()
}

/// What stays as it is, and what nobody knows.
fn unchanged_lines(preview: &Preview) -> Vec<String> {
    let summary = &preview.summary;
    let mut lines = Vec::new();
    if summary.accounts_unread > 0 {
        let accounts = named(&preview.unknown_accounts, summary.accounts_unread);
        lines.push(format!("Unknown: {}, {accounts}", counted(summary.accounts_unread, "account")));
    }
    if summary.unread > 0 {
        lines.push(format!("Unknown: {} could not be read", counted(summary.unread, "bucket")));
    }
    let held = |finding: &Finding| {
        let guards: Vec<&str> =
            finding.guards.iter().filter(|guard| guard.holds()).map(|guard| guard.guard.as_str()).collect();
        let why = if guards.is_empty() { finding.judgement.reason.as_str().to_owned() } else { guards.join(" ") };
        format!("{} ({why})", finding.bucket.name)
    };
    if summary.held > 0 {
        let buckets: Vec<String> = preview.held.iter().map(held).collect();
        lines.push(format!("Held: {}, {}", counted(summary.held, "bucket"), named(&buckets, summary.held)));
    }
    if summary.exempt > 0 {
        let buckets: Vec<String> = preview.exempt.iter().map(|finding| finding.bucket.name.clone()).collect();
        lines.push(format!("Exempt: {}, {}", counted(summary.exempt, "bucket"), named(&buckets, summary.exempt)));
    }
    let (done, already) = match preview.operation {
        Operation::Seal => (summary.sealed, "sealed"),
        Operation::Restore => (summary.restored, "restored"),
    };
    lines.push(format!("Already {already}: {}", counted(done, "bucket")));
    lines
}

/// The first of a list, and how many more there are.
fn named(first: &[String], all: u64) -> String {
    let shown = first.join(", ");
    match all.saturating_sub(first.len() as u64) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
