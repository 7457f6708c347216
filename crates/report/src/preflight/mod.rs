//! A preflight, for a person at a terminal and as `orgseal.preflight/1`. What failed in the same way in many places is said once.

mod causes;
mod regions;

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects};
use orgseal_core::model::{AccountChecks, Check, CheckKind, Denier, Preflight, PreflightCounts, Standing};
use orgseal_core::text::VisibleJson;
use serde::Serialize;

use crate::ReportError;
use crate::suggest::{Place, Suggest};
use crate::terminal::{BOLD, DIM, Ink, PLAIN, Page, RED, Style, YELLOW};
use crate::words::{counted, duration, moment, number, plain};

/// The name and version of the document's shape.
const SCHEMA: &str = "orgseal.preflight/1";
/// Accounts in the table before it is cut short.
const ROWS: usize = 20;
/// Places that are named beneath a cause.
const PLACES: usize = 8;
/// Letters of an account's name.
const NAME: usize = 18;

/// What a preflight comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing that was seen stands in a rollout's way.
    Ready,
    /// Something would fail or be held.
    NotReady,
    /// Not everything could be looked at.
    NotSeen,
}

/// What a preflight comes to: what could not be looked at outweighs what would fail.
#[must_use]
pub fn answer(found: &Preflight) -> Answer {
    let counts = found.counts();
    if counts.unknown > 0 || counts.entered + counts.skipped < counts.accounts || found.interrupted {
        Answer::NotSeen
    } else if counts.failed > 0 {
        Answer::NotReady
    } else {
        Answer::Ready
    }
}

/// The exit code: 0 ready, 2 something would fail, 3 not everything could be looked at.
#[must_use]
pub fn exit_code(found: &Preflight) -> u8 {
    match answer(found) {
        Answer::Ready => 0,
        Answer::NotReady => 2,
        Answer::NotSeen => 3,
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    ready: bool,
    summary: PreflightCounts,
    denials: Vec<Denial<'a>>,
    #[serde(flatten)]
    found: &'a Preflight,
}

/// A kind of policy that was seen to deny something.
#[derive(Serialize)]
struct Denial<'a> {
    by: Denier,
    accounts: BTreeSet<&'a str>,
}

/// Writes a preflight as JSON.
pub fn write_json(found: &Preflight, out: &mut dyn Write) -> Result<(), ReportError> {
    let ready = answer(found) == Answer::Ready;
    let denials = found.denials().into_iter().map(|(by, accounts)| Denial { by, accounts }).collect();
    let document = Document { schema: SCHEMA, ready, summary: found.counts(), denials, found };
    serde_json::to_writer_pretty(VisibleJson(&mut *out), &document).map_err(|error| ReportError::Io(error.into()))?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes a preflight for people.
pub fn write(found: &Preflight, style: &Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let suggest = Suggest::here(&style.place);
    let mut page = Page { out, color: style.color, width: usize::from(style.width.max(40)), suggest };
    let counts = found.counts();
    page.blank()?;
    page.text(0, BOLD, format!("Preflight of {}", found.organization).trim_end())?;
    let took = duration(found.started_at, found.finished_at);
    page.text(0, DIM, &format!("{} · took {took} · as {}", moment(found.started_at), found.caller))?;
    if let Some(environment) = found.checks.iter().find(|check| check.kind == CheckKind::Environment) {
        page.text(0, DIM, &environment.message)?;
    }
    page.blank()?;
    verdict(&mut page, found, &counts)?;
    table(&mut page, found)?;
    causes(&mut page, found)?;
    what_now(&mut page, found, &style.place)?;
    Ok(())
}

fn verdict(page: &mut Page<'_>, found: &Preflight, counts: &PreflightCounts) -> io::Result<()> {
    let (ink, words) = match answer(found) {
        Answer::Ready if counts.warnings > 0 => (GREEN, "No failed check; some warnings."),
        Answer::Ready => (GREEN, "All checks passed in every account and Region."),
        Answer::NotReady => (YELLOW, "A rollout would fail, or hold buckets, in some accounts or Regions."),
        Answer::NotSeen if found.interrupted => (RED, "Interrupted: not every account was checked."),
        Answer::NotSeen => (RED, "Some checks could not be performed, so the result is incomplete."),
    };
    page.text(0, ink.effects(Effects::BOLD), words)?;
    let entered = u64::try_from(counts.entered).unwrap_or(u64::MAX);
    let mut parts =
        vec![format!("role assumed in {} of {}", number(entered), counted(counts.accounts as u64, "account"))];
    if counts.skipped > 0 {
        parts.push(format!("{} skipped", number(counts.skipped as u64)));
    }
    parts.push(format!("{} (account and Region)", counted(counts.places as u64, "place")));
    for (amount, what) in [
        (counts.failed, "would fail"),
        (counts.unknown, "undetermined"),
        (counts.warnings, "with a warning"),
        (counts.ok, "passed"),
    ] {
        if amount > 0 {
            parts.push(format!("{} {what}", number(amount as u64)));
        }
    }
    page.text(0, PLAIN, &parts.join(" · "))?;
    let denials = found.denials().into_iter().map(|(by, accounts)| {
        let accounts = counted(accounts.len() as u64, "account");
        format!("{} in {accounts}", by.says())
    });
    match denials.collect::<Vec<_>>() {
        none if none.is_empty() => Ok(()),
        denials => page.text(0, RED, &format!("Denied by: {}", denials.join(", "))),
    }
}

/// One line for each account: the role, the automation role, the control policies, each Region.
fn table(page: &mut Page<'_>, found: &Preflight) -> io::Result<()> {
    if found.accounts.is_empty() {
        return Ok(());
    }
    // Where there are many, those that need a look come first, and the others are only counted.
    let mut shown: Vec<&AccountChecks> = found.accounts.iter().collect();
    if shown.len() > ROWS {
        shown.sort_by_key(|account| std::cmp::Reverse(worst_of(account)));
        shown.retain(|account| worst_of(account) != Standing::Ok);
    }
    let left = shown.len().saturating_sub(ROWS);
    shown.truncate(ROWS);
    let fine = found.accounts.iter().filter(|account| worst_of(account) == Standing::Ok).count();
    let name = shown.iter().map(|account| account.name.chars().count()).max().unwrap_or(0).clamp(4, NAME);
    let regions: Vec<&str> = found.keys.iter().map(|place| place.region.as_str()).collect();
    let columns = regions::Columns::of(&regions, page.width.saturating_sub(12 + 2 + name + 2 + 4 + 2 + 4 + 2 + 4));
    page.blank()?;
    let heads = columns.heads().join("  ");
    page.line(0, DIM, &format!("{:12}  {:name$}  role  auto  ctrl  {heads}", "account", "name"))?;
    for account in shown {
        row(page, account, name, &columns)?;
    }
    page.more(0, left)?;
    if found.accounts.len() > ROWS && fine > 0 {
        page.line(
            0,
            GREEN,
            &format!("{} {} in which all checks passed", mark(Standing::Ok), counted(fine as u64, "more account")),
        )?;
    }
    page.text(
        0,
        DIM,
        "✓ passed, ! warning, ✗ would fail or hold, ? could not be determined, · not checked; auto: the automation role; ctrl: \
         service and resource control policies",
    )?;
    if let Some(legend) = columns.legend() {
        page.text(0, DIM, &legend)?;
    }
    Ok(())
}

fn row(page: &mut Page<'_>, account: &AccountChecks, name: usize, columns: &regions::Columns<'_>) -> io::Result<()> {
    let of = |kinds: &[CheckKind]| worst(account.checks.iter().filter(|check| kinds.contains(&check.kind)));
    let role = of(&[CheckKind::Account, CheckKind::Role, CheckKind::Trust]);
    let automation = of(&[CheckKind::AutomationRole]);
    let controls = of(&[CheckKind::ControlPolicies]);
    let cut: String = plain(&account.name).chars().take(name).collect();
    let marks = columns.marks(&account.regions);
    let cells: Vec<String> = marks
        .into_iter()
        .map(|cell| match cell {
            regions::Cell::Mark(standing, width) => centred(page, standing, width),
            regions::Cell::Words(words) => words,
        })
        .collect();
    let [role, automation, controls] = [role, automation, controls].map(|standing| centred(page, standing, 4));
    let line = format!("{:12}  {cut:name$}  {role}  {automation}  {controls}  {}", account.id, cells.join("  "));
    writeln!(page.out, "{}", line.trim_end())
}

/// A mark in the middle of its column, painted after it was placed.
fn centred(page: &Page<'_>, standing: Option<Standing>, width: usize) -> String {
    let (text, ink) = match standing {
        Some(standing) => (mark(standing), ink(standing)),
        None => ("·", DIM),
    };
    let left = (width.saturating_sub(1)) / 2;
    format!("{:left$}{}{:right$}", "", page.paint(ink, text), "", right = width.saturating_sub(left + 1))
}

/// Everything that is not as it must be, the most pressing first, each cause once.
fn causes(page: &mut Page<'_>, found: &Preflight) -> io::Result<()> {
    let causes = causes::of(found);
    for (standing, heading) in [
        (Standing::Failed, "Would fail or hold buckets"),
        (Standing::Unknown, "Could not be checked"),
        (Standing::Warning, "Warnings"),
    ] {
        let here: Vec<_> = causes.iter().filter(|cause| cause.check.standing == standing).collect();
        if here.is_empty() {
            continue;
        }
        page.heading(heading, None, ink(standing))?;
        for cause in here {
            let Check { kind, message, fix, code, .. } = &cause.check;
            let code = code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default();
            page.text(2, ink(standing), &format!("{} {} — {code}{message}", mark(standing), kind.title()))?;
            if !cause.places.is_empty() {
                page.text(6, PLAIN, &format!("in {}", cause.in_words(PLACES)))?;
            }
            if let Some(fix) = fix {
                page.text(6, DIM, &format!("→ {fix}"))?;
            }
        }
    }
    Ok(())
}

fn what_now(page: &mut Page<'_>, found: &Preflight, place: &Place) -> io::Result<()> {
    let suggest = Suggest::here(place);
    page.heading("What now", None, Ink::default())?;
    let (command, does) = match answer(found) {
        Answer::Ready => ("plan", "evaluates the guards and writes a plan for approval; changes nothing"),
        Answer::NotReady | Answer::NotSeen => ("preflight", "checks again, after you have applied the fixes above"),
    };
    page.line(2, BOLD, &suggest.anew(command))?;
    page.text(6, DIM, does)?;
    let cut = found.accounts.len() > ROWS || causes::of(found).iter().any(|cause| cause.accounts().len() > PLACES);
    if cut {
        page.line(2, BOLD, &suggest.anew("preflight --json"))?;
        page.text(6, DIM, "lists every account and Region")?;
    }
    Ok(())
}

fn worst<'a>(checks: impl Iterator<Item = &'a Check>) -> Option<Standing> {
    checks.map(|check| check.standing).max()
}

fn worst_of(account: &AccountChecks) -> Standing {
    let places = account.regions.iter().flat_map(|place| &place.checks);
    worst(account.checks.iter().chain(places)).unwrap_or(Standing::Ok)
}

const GREEN: Ink = AnsiColor::Green.on_default();

fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Ok => "✓",
        Standing::Warning => "!",
        Standing::Failed => "✗",
        Standing::Unknown => "?",
    }
}

fn ink(standing: Standing) -> Ink {
    match standing {
        Standing::Ok => GREEN,
        Standing::Warning => YELLOW,
        Standing::Failed | Standing::Unknown => RED,
    }
}
