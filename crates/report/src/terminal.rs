//! The summary at the end of a run, for a person at a terminal: what is sealed, what is not and why, what to do now.
//!
//! Lists are cut short and say so; the other formats are whole.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;

use anstyle::{AnsiColor, Effects};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};
use orgseal_core::ledger::{EarlierHold, Reader, ReasonCount, Run, Summary};
use orgseal_core::model::{AwsError, Bucket, Finding, GuardFinding, Reason, SealedInterval, Verdict, WaveState};

use crate::earlier::{self, EarlierHolds, EarlierTally, amount};
use crate::exemptions::{ExemptionLine, Use};
use crate::headline::{headline, what_it_did};
use crate::meaning::{count, title};
use crate::next_steps::next_steps;
use crate::out_of_scope::{self, AccountCount};
use crate::suggest::{Place, Suggest};
use crate::unread_accounts::{self, SameError};
use crate::walk::walk;
use crate::waves::WaveLine;
use crate::words::{self, counted, ending, moment, number, plain, still_acting, under_way, unknown_share, why};
use crate::{ReportError, exemptions, guards, kind, undone, waves, worked};

/// Entries of a list before it is cut short.
const SHOWN: usize = 10;
/// Lines of a guard's evidence that are shown of a bucket.
const EVIDENCE: usize = 2;
/// Lines of running text are no longer than this, however wide the terminal: longer ones are hard to read.
const READABLE: usize = 120;

/// The verdicts whose buckets are listed, the most pressing first.
const LISTED: [(Verdict, &str); 5] = [
    (Verdict::Failed, "Failed"),
    (Verdict::Unread, "Buckets that could not be read"),
    (Verdict::Held, "Held"),
    (Verdict::NotSealed, "Not sealed"),
    (Verdict::NotRestored, "Not restored"),
];

/// How the terminal looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether escape codes are wanted at all.
    pub color: bool,
    /// Columns.
    pub width: u16,
    /// Where suggested commands find the same ledger and organization.
    pub place: Place,
}

/// Writes the summary of a run.
pub fn write(reader: &Reader, run: &Run, style: &Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let binding = reader.binding()?;
    let summary = reader.summary(run)?;
    let groups = unread_accounts::by_error(reader, run)?;
    let overridden = reader.overridden(run)?;
    let noted = note_buckets(reader, run, &summary, overridden)?;
    let suggest = Suggest::of_run(&style.place, run);
    let mut page = Page { out, color: style.color, width: usize::from(style.width.max(40)), suggest };

    page.head(run, &binding.organization, &binding.endpoint, worked::took(reader, run)?)?;
    for words in undone::by(reader, run)? {
        page.text(0, YELLOW, &words)?;
        page.blank()?;
    }
    let earlier = EarlierTally::of(reader, run)?;
    page.counts(run, &summary, what_it_did(reader, run, &summary)?)?;
    page.verdicts(run, &summary, &reader.reasons(run)?, &earlier)?;
    let waves = waves::lines(reader, run)?;
    page.waves(&waves)?;
    page.exemptions(&exemptions::lines(reader, run)?)?;
    page.directory_buckets(&out_of_scope::accounts(reader, run)?)?;
    page.unread_accounts(&groups)?;
    for (verdict, heading) in LISTED {
        let heading = match verdict {
            Verdict::NotSealed if kind::skips_guards(run) => "Rollout candidates, guards not evaluated",
            _ => heading,
        };
        page.buckets(verdict, heading, count(&summary, verdict), &noted, noted.listed(verdict))?;
    }
    page.earlier(&earlier)?;
    page.overridden(overridden, &noted.overridden)?;
    if noted.under_way > 0 {
        page.blank()?;
        let words = match run.state.as_str() {
            "running" => format!("{} under way.", counted(noted.under_way, "execution")),
            _ => words::left_under_way(noted.under_way),
        };
        page.text(0, YELLOW, &words)?;
    }
    page.sealed_time(noted.sealed)?;
    let steps = next_steps(reader, &style.place, run, &summary)?;
    page.heading("What now", None, Ink::default())?;
    for step in steps {
        match step.command {
            Some(command) => {
                page.line(2, BOLD, &command)?;
                page.text(6, DIM, &step.does)?;
            }
            None => page.text(2, PLAIN, &step.does)?,
        }
    }
    let head = reader.head()?;
    page.blank()?;
    let entry = number(head.entries);
    let says = format!(
        "Ledger head, entry {entry}. Save this hash separately: `orgseal ledger verify --head HASH` then detects missing or changed entries."
    );
    page.text(0, DIM, &says)?;
    page.line(2, DIM, &head.hash)?;
    Ok(())
}

/// The first buckets of each listed verdict, and what else the summary shows of buckets.
#[derive(Default)]
struct Noted {
    lists: [Vec<Finding>; LISTED.len()],
    /// Changed, or to be changed, though a guard spoke up.
    overridden: Vec<Finding>,
    under_way: u64,
    /// What earlier plans and rollouts held, of the listed buckets, by name.
    earlier: BTreeMap<String, EarlierHold>,
    /// From the first seal to the last restore.
    sealed: Option<(jiff::Timestamp, jiff::Timestamp)>,
}

impl Noted {
    fn listed(&self, verdict: Verdict) -> &[Finding] {
        LISTED.iter().position(|(listed, _)| *listed == verdict).map_or(&[], |place| &self.lists[place])
    }
}

fn note_buckets(reader: &Reader, run: &Run, summary: &Summary, overridden: u64) -> Result<Noted, ReportError> {
    let mut noted = Noted::default();
    let wanted = |verdict: Verdict| usize::try_from(count(summary, verdict)).unwrap_or(SHOWN).min(SHOWN);
    // Only a run that did not come to its end can have left executions under way without a verdict for them.
    let to_the_end = (summary.started > 0 && run.state != "finished") || kind::is_rollback(run);
    let mut left: usize = LISTED.iter().map(|(verdict, _)| wanted(*verdict)).sum();
    left += usize::try_from(overridden).unwrap_or(SHOWN).min(SHOWN);
    if left == 0 && !to_the_end {
        return Ok(noted);
    }
    let mut holds = EarlierHolds::of(reader, run);
    walk(reader, run, |finding| {
        if finding.execution.as_ref().is_some_and(under_way) {
            noted.under_way += 1;
        }
        if let Some(SealedInterval { from, until: Some(until) }) = finding.sealed {
            let (first, last) = noted.sealed.unwrap_or((from, until));
            noted.sealed = Some((first.min(from), last.max(until)));
        }
        let verdict = finding.judgement.verdict;
        let spoken_up = matches!(verdict, Verdict::Sealed | Verdict::NotSealed | Verdict::Failed);
        if spoken_up && !finding.guards.is_empty() && noted.overridden.len() < SHOWN {
            noted.overridden.push(finding.clone());
            left = left.saturating_sub(1);
        }
        if let Some(place) = LISTED.iter().position(|(listed, _)| *listed == verdict)
            && noted.lists[place].len() < SHOWN
        {
            if let Some(hold) = holds.hold(&finding)? {
                noted.earlier.insert(finding.bucket.name.clone(), hold.clone());
            }
            noted.lists[place].push(finding);
            left = left.saturating_sub(1);
        }
        Ok(if left == 0 && !to_the_end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(noted)
}

/// Listed buckets with the same cause.
struct SameCause<'a> {
    why: String,
    error: Option<AwsError>,
    findings: Vec<&'a Finding>,
}

/// Errors whose hint holds a command about one bucket: with another name in its place it could not be pasted.
const TO_BE_PASTED: [&str; 3] = ["BlockedTypesChanged", "BlockedTypesNotKept", "LeftByAnAttempt"];

/// A text with a general word in place of what names one thing. An empty name is found between any two characters.
pub(crate) fn placeholder(text: &str, name: &str, general: &str) -> String {
    if name.is_empty() { text.to_owned() } else { text.replace(name, general) }
}

/// Puts buckets with the same cause together, in the order in which the causes first occur.
fn same_causes(findings: &[Finding]) -> Vec<SameCause<'_>> {
    let mut keys: Vec<(String, Option<AwsError>)> = Vec::new();
    let mut groups: Vec<SameCause<'_>> = Vec::new();
    for finding in findings {
        let Bucket { account, region, name } = &finding.bucket;
        let id = finding.execution.as_ref().map_or("", |execution| execution.id.as_str());
        let general = |text: &str| {
            let text = placeholder(text, name, "BUCKET_NAME");
            let text = placeholder(&text, account, "ACCOUNT_ID");
            if id.is_empty() { text } else { placeholder(&placeholder(&text, id, "EXECUTION_ID"), region, "REGION") }
        };
        let general = finding.error.clone().map(|error| match TO_BE_PASTED.contains(&error.code.as_str()) {
            true => error,
            false => AwsError { message: general(&error.message), hint: general(&error.hint), ..error },
        });
        let key = (why(finding), general);
        // What a guard found is told of each bucket with its evidence.
        if finding.judgement.reason == Reason::Guarded {
            continue;
        }
        match keys.iter().position(|known| *known == key) {
            Some(known) => {
                groups[known].error = key.1;
                groups[known].findings.push(finding);
            }
            None => {
                groups.push(SameCause { why: key.0.clone(), error: finding.error.clone(), findings: vec![finding] });
                keys.push(key);
            }
        }
    }
    groups
}

pub(crate) type Ink = anstyle::Style;

pub(crate) const PLAIN: Ink = Ink::new();
pub(crate) const BOLD: Ink = Ink::new().effects(Effects::BOLD);
pub(crate) const DIM: Ink = Ink::new().effects(Effects::DIMMED);
pub(crate) const YELLOW: Ink = AnsiColor::Yellow.on_default();
pub(crate) const RED: Ink = AnsiColor::Red.on_default();

fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Sealed | Verdict::Restored => AnsiColor::Green.on_default(),
        Verdict::NotSealed | Verdict::NotRestored => YELLOW,
        Verdict::Held => AnsiColor::Blue.on_default(),
        Verdict::Exempt => PLAIN,
        Verdict::Unread | Verdict::Failed => RED,
    }
}

fn cell_color(verdict: Verdict) -> Option<Color> {
    match verdict {
        Verdict::Sealed | Verdict::Restored => Some(Color::DarkGreen),
        Verdict::NotSealed | Verdict::NotRestored => Some(Color::DarkYellow),
        Verdict::Held => Some(Color::DarkBlue),
        Verdict::Exempt => None,
        Verdict::Unread | Verdict::Failed => Some(Color::DarkRed),
    }
}

/// Where words for people go.
pub(crate) struct Page<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) color: bool,
    pub(crate) width: usize,
    /// Completes the commands in hints.
    pub(crate) suggest: Suggest,
}

impl Page<'_> {
    fn head(&mut self, run: &Run, organization: &str, endpoint: &str, took: Option<String>) -> io::Result<()> {
        let what = kind::title(run);
        let place = if endpoint == "aws" { String::new() } else { format!(" ({endpoint})") };
        self.blank()?;
        self.text(0, BOLD, &format!("{what} {organization}{place}"))?;
        let took = took.map(|took| format!(" · took {took}")).unwrap_or_default();
        self.text(0, DIM, &format!("{} · {}{took}", run.id, moment(run.started_at)))?;
        if let Some(campaign) = &run.parent {
            self.text(0, PLAIN, &format!("undoes {campaign}"))?;
        }
        if let Some(plan) = &run.plan {
            self.text(0, PLAIN, &format!("carries out {}, approved by {}", plan.id, plan.approver))?;
            self.line(0, DIM, &format!("sha256 {}", plan.sha256))?;
        }
        if !run.selection.is_empty() {
            self.text(0, PLAIN, &format!("Selection: {}", run.selection))?;
        }
        if let Some(ending) = ending(run) {
            let ink = if matches!(run.state.as_str(), "dry_run" | "declined") { PLAIN } else { YELLOW };
            self.text(0, ink, &ending)?;
        }
        self.blank()
    }

    fn counts(&mut self, run: &Run, summary: &Summary, did: Option<String>) -> io::Result<()> {
        let all = summary.buckets > 0 && kind::reached(run, summary) == summary.buckets;
        let ink = if all && summary.complete { ink(Verdict::Sealed) } else { PLAIN };
        self.text(0, ink.effects(Effects::BOLD), &headline(run, summary))?;
        if let Some(did) = did {
            self.text(0, PLAIN, &format!("This run: {did}"))?;
        }
        self.text(0, DIM, kind::scope(run))?;
        self.text(0, DIM, &out_of_scope::says(summary))?;
        if let Some(unknown) = unknown_share(summary) {
            self.text(0, RED, &unknown)?;
        }
        self.blank()
    }

    fn verdicts(
        &mut self,
        run: &Run,
        summary: &Summary,
        reasons: &[ReasonCount],
        earlier: &EarlierTally,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table
            .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')))
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width.min(READABLE)).unwrap_or(u16::MAX));
        if self.color {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        let head = |text: &str| Cell::new(text).add_attribute(Attribute::Dim);
        let right = |cell: Cell| cell.set_alignment(CellAlignment::Right);
        table.set_header(vec![head("verdict"), right(head("buckets")), head("what it means")]);
        for &verdict in kind::verdicts(run) {
            let buckets = count(summary, verdict);
            let mut name = Cell::new(title(verdict));
            let mut amount = right(Cell::new(amount(run, summary, verdict)));
            let mut means = Cell::new(earlier.meaning(run, summary, verdict));
            if buckets == 0 {
                [name, amount, means] = [name, amount, means].map(|cell| cell.add_attribute(Attribute::Dim));
            } else {
                name = name.add_attribute(Attribute::Bold);
                amount = amount.add_attribute(Attribute::Bold);
                if let Some(color) = cell_color(verdict) {
                    (name, amount) = (name.fg(color), amount.fg(color));
                }
            }
            table.add_row(vec![name, amount, means]);
            for reason in reasons.iter().filter(|reason| reason.verdict == verdict) {
                table.add_row(vec![
                    head(&format!("  {}", reason.reason.as_str())),
                    right(head(&number(reason.buckets))),
                    head(reason.reason.says()),
                ]);
            }
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        // Names and numbers are never broken; the explanation takes the rest.
        for index in 0..2 {
            if let Some(column) = table.column_mut(index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        if let Some(column) = table.column_mut(2) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(12)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        let mut accounts = vec![counted(summary.accounts, "account")];
        let read = summary.accounts - summary.accounts_unread - summary.skipped;
        for (amount, what) in [(read, "read"), (summary.accounts_unread, "unread"), (summary.skipped, "skipped")] {
            if amount > 0 {
                accounts.push(format!("{} {what}", number(amount)));
            }
        }
        if summary.started > 0 {
            accounts.push(format!("{} started", counted(summary.started, "execution")));
        }
        self.blank()?;
        self.text(0, PLAIN, &accounts.join(" · "))?;
        Ok(())
    }

    fn unread_accounts(&mut self, groups: &[SameError]) -> io::Result<()> {
        let all: usize = groups.iter().map(|group| group.accounts.len()).sum();
        if all == 0 {
            return Ok(());
        }
        self.heading("Accounts that could not be read", u64::try_from(all).ok(), RED)?;
        let mut room = SHOWN;
        for (index, group) in groups.iter().enumerate() {
            if index > 0 {
                self.blank()?;
            }
            self.text(2, PLAIN, &format!("{}: {}", group.error.code, group.error.message))?;
            // Each group shows one account at least; otherwise its error would stand there alone.
            let shown = group.accounts.len().min(room.max(1));
            room = room.saturating_sub(shown);
            for account in &group.accounts[..shown] {
                self.line(4, PLAIN, &format!("{}  {}", account.id, account.name))?;
            }
            self.more(4, group.accounts.len() - shown)?;
            self.text(4, DIM, &format!("→ {}", group.error.hint))?;
        }
        Ok(())
    }

    fn buckets(
        &mut self,
        verdict: Verdict,
        heading: &str,
        all: u64,
        noted: &Noted,
        shown: &[Finding],
    ) -> io::Result<()> {
        if shown.is_empty() {
            return Ok(());
        }
        self.heading(heading, Some(all), ink(verdict))?;
        let region = shown.iter().map(|finding| finding.bucket.region.chars().count()).max().unwrap_or_default();
        for group in same_causes(shown) {
            match &group.error {
                None => self.text(2, PLAIN, &group.why)?,
                Some(error) => self.text(2, PLAIN, &format!("{} — {}: {}", group.why, error.code, error.message))?,
            }
            for finding in &group.findings {
                let bucket = &finding.bucket;
                self.line(4, PLAIN, &format!("{:12}  {:region$}  {}", bucket.account, bucket.region, bucket.name))?;
                if let Some(hold) = noted.earlier.get(&bucket.name) {
                    self.text(8, DIM, &earlier::in_words(hold))?;
                }
                if let Some(acting) = still_acting(finding) {
                    self.line(8, DIM, &acting)?;
                }
            }
            if let Some(error) = &group.error {
                self.text(4, DIM, &format!("→ {}", error.hint))?;
            }
        }
        self.guarded(shown.iter().filter(|finding| finding.judgement.reason == Reason::Guarded), GuardFinding::holds)?;
        self.more(2, usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(shown.len()))
    }

    /// Buckets on which guards found something: by what they found, each bucket with its evidence.
    fn guarded<'f>(
        &mut self,
        shown: impl Iterator<Item = &'f Finding>,
        tells: impl Fn(&GuardFinding) -> bool,
    ) -> io::Result<()> {
        let mut groups: Vec<(String, Vec<(&Finding, &GuardFinding)>)> = Vec::new();
        for finding in shown {
            for guard in finding.guards.iter().filter(|guard| tells(guard)) {
                let title = guards::title(guard);
                match groups.iter_mut().find(|(known, _)| *known == title) {
                    Some((_, members)) => members.push((finding, guard)),
                    None => groups.push((title, vec![(finding, guard)])),
                }
            }
        }
        for (title, members) in groups {
            self.text(2, PLAIN, &title)?;
            let mut hints: Vec<&str> = Vec::new();
            for (place, (finding, guard)) in members.iter().enumerate() {
                let Bucket { account, region, name } = &finding.bucket;
                self.line(4, PLAIN, &format!("{account:12}  {region}  {name}"))?;
                // What the next bucket has too is said once, under the last of them.
                if members.get(place + 1).is_some_and(|(_, next)| next.evidence == guard.evidence) {
                    continue;
                }
                for evidence in guard.evidence.iter().take(EVIDENCE) {
                    self.text(8, DIM, evidence)?;
                }
                self.more(8, guard.evidence.len().saturating_sub(EVIDENCE))?;
                if !hints.contains(&guard.hint.as_str()) {
                    hints.push(&guard.hint);
                }
            }
            for hint in hints.into_iter().take(EVIDENCE) {
                self.text(4, DIM, &format!("→ {hint}"))?;
            }
        }
        Ok(())
    }

    /// What earlier runs held, by guard: the list above is cut short.
    fn earlier(&mut self, earlier: &EarlierTally) -> io::Result<()> {
        if earlier.buckets == 0 {
            return Ok(());
        }
        self.heading("Held earlier, guards not evaluated in this run", Some(earlier.buckets), ink(Verdict::Held))?;
        for (what, buckets) in &earlier.by_cause {
            self.text(2, PLAIN, &format!("{what}: {}", counted(*buckets, "bucket")))?;
        }
        self.text(2, PLAIN, "evaluates the guards as they are now:")?;
        let command = self.suggest.anew("audit --guards");
        self.line(4, PLAIN, &command)
    }

    fn overridden(&mut self, all: u64, shown: &[Finding]) -> io::Result<()> {
        if shown.is_empty() {
            return Ok(());
        }
        self.heading("Changed although a guard spoke up", Some(all), YELLOW)?;
        self.guarded(shown.iter(), |_| true)?;
        self.more(2, usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(shown.len()))
    }

    fn waves(&mut self, waves: &[WaveLine]) -> io::Result<()> {
        if waves.is_empty() {
            return Ok(());
        }
        self.heading("Waves", None, Ink::default())?;
        for line in waves {
            let ink = if line.record.state == WaveState::Stopped { RED } else { PLAIN };
            self.text(2, ink, &waves::in_words(line))?;
            for evidence in line.record.evidence.iter().take(SHOWN) {
                self.text(6, DIM, evidence)?;
            }
            self.more(6, line.record.evidence.len().saturating_sub(SHOWN))?;
        }
        Ok(())
    }

    /// Exemptions that nobody needs any more, and those that are over: somebody has to tidy up. Those in use are counted.
    fn exemptions(&mut self, lines: &[ExemptionLine]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.heading("Exemptions", Some(lines.len() as u64), Ink::default())?;
        for line in lines {
            let (ink, says) = match line.used {
                Use::Active => (PLAIN, counted(line.buckets, "bucket")),
                Use::Unused => (DIM, "no bucket needs it".to_owned()),
                Use::Unknown => (DIM, "no bucket that was read needs it, and not all were read".to_owned()),
                Use::Expired => (YELLOW, "it is over, and exempts nothing any more".to_owned()),
            };
            self.text(2, ink, &format!("{}: {says}", exemptions::in_words(line)))?;
        }
        Ok(())
    }

    /// Directory buckets, where the run counted them: how many there are, and where the count is incomplete.
    fn directory_buckets(&mut self, accounts: &[AccountCount]) -> io::Result<()> {
        if accounts.is_empty() {
            return Ok(());
        }
        self.heading("Directory buckets (out of scope)", None, Ink::default())?;
        for account in accounts.iter().take(SHOWN) {
            self.text(2, PLAIN, &format!("{}  {}: {}", account.id, account.name, account.says()))?;
        }
        self.more(2, accounts.len().saturating_sub(SHOWN))?;
        for (code, hint) in out_of_scope::causes(accounts) {
            self.text(4, DIM, &format!("→ {code}: {hint}"))?;
        }
        Ok(())
    }

    /// Between when and when buckets that are restored were under the central key.
    fn sealed_time(&mut self, sealed: Option<(jiff::Timestamp, jiff::Timestamp)>) -> io::Result<()> {
        let Some((from, until)) = sealed else { return Ok(()) };
        self.blank()?;
        let (from, until) = (moment(from), moment(until));
        self.text(
            0,
            PLAIN,
            &format!(
                "The restored buckets were sealed between {from} and {until}; the CSV, JSON and HTML reports name the time of each. \
                 Objects written to them in that time stay under the central key: do not disable or delete it."
            ),
        )
    }

    pub(crate) fn heading(&mut self, text: &str, amount: Option<u64>, ink: Ink) -> io::Result<()> {
        let amount = amount.map(|amount| format!(" ({})", number(amount))).unwrap_or_default();
        self.blank()?;
        self.line(0, ink.effects(Effects::BOLD), &format!("{text}{amount}"))
    }

    pub(crate) fn more(&mut self, indent: usize, left: usize) -> io::Result<()> {
        if left == 0 {
            return Ok(());
        }
        let left = number(u64::try_from(left).unwrap_or(u64::MAX));
        self.line(indent, DIM, &format!("and {left} more"))
    }

    pub(crate) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line that is never broken: what it holds may be copied.
    pub(crate) fn line(&mut self, indent: usize, ink: Ink, text: &str) -> io::Result<()> {
        writeln!(self.out, "{:indent$}{}", "", self.paint(ink, plain(text).trim_end()))
    }

    /// Running text, broken between words.
    pub(crate) fn text(&mut self, indent: usize, ink: Ink, text: &str) -> io::Result<()> {
        let room = self.width.min(READABLE).saturating_sub(indent).max(20);
        let text = self.suggest.completed(text);
        let text = plain(&text);
        let mut line = String::new();
        let mut lines = Vec::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
                // What follows an arrow or a mark hangs under its text.
                if ["→ ", "✗ ", "! ", "? "].iter().any(|mark| text.starts_with(mark)) {
                    line.push(' ');
                }
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
        for line in lines {
            writeln!(self.out, "{:indent$}{}", "", self.paint(ink, &line))?;
        }
        Ok(())
    }

    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        if self.color && ink != PLAIN { format!("{ink}{text}{ink:#}") } else { text.to_owned() }
    }
}
