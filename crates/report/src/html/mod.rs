//! One self-contained page that opens offline and can be handed to an auditor. Text is escaped by construction (maud);
//! rows are streamed; nothing is fetched from anywhere, which the page's own content security policy enforces.

mod bar;
mod rows;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use orgseal_core::ledger::{Binding, Head, Reader, ReasonCount, Run, Summary};
use orgseal_core::model::{AccountOutcome, Finding, Verdict};
use orgseal_core::text::visible_lines;

use crate::account_tally::{AccountTally, tally};
use crate::earlier::{EarlierHolds, EarlierTally, amount};
use crate::exemptions::ExemptionLine;
use crate::headline::{is_whole, to_verify, verified, what_it_did};
use crate::meaning::{count, title};
use crate::out_of_scope::{self, AccountCount};
use crate::suggest::{Place, Suggest};
use crate::unread_accounts::{self, SameError};
use crate::walk::walk;
use crate::waves::WaveLine;
use crate::words::{counted, ending, moment, number, percent, unknown_share};
use crate::{ReportError, exemptions, kind, undone, waves, worked};

/// Rows of a list before it is cut short: a browser has to hold them all.
const MOST_SEALED: u64 = 5_000;
const MOST_OTHERS: u64 = 20_000;

const CSS: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("filter.js");

/// Writes a run as HTML.
pub fn write(reader: &Reader, run: &Run, out: &mut dyn Write) -> Result<(), ReportError> {
    let binding = reader.binding()?;
    let summary = reader.summary(run)?;
    let tallies = tally(reader, run)?;
    let mut page = Page { reader, run, names: names(&tallies), out };

    page.put(&head(&binding, run))?;
    page.raw("<body>")?;
    page.put(&patterns())?;
    let undone: Vec<String> = undone::by(reader, run)?.iter().map(|words| format!("{}.", capital(words))).collect();
    page.put(&header(&binding, run, &undone))?;
    page.raw("<main>")?;
    let earlier = EarlierTally::of(reader, run)?;
    page.put(&hero(run, &summary, what_it_did(reader, run, &summary)?.as_deref()))?;
    page.put(&facts(&binding, run, &reader.head()?, worked::took(reader, run)?))?;
    page.put(&verdicts(run, &summary, &reader.reasons(run)?, &earlier))?;
    page.put(&wave_section(&waves::lines(reader, run)?))?;
    page.put(&exemption_section(&exemptions::lines(reader, run)?))?;
    let mut unread = unread_accounts::by_error(reader, run)?;
    for group in &mut unread {
        group.error.hint = in_page(run).completed(&group.error.hint).into_owned();
    }
    page.put(&unread_section(&unread))?;
    page.put(&directory_bucket_section(&out_of_scope::accounts(reader, run)?))?;
    page.put(&filter(run, &summary))?;
    page.accounts(&tallies)?;
    page.others(&summary)?;
    page.sealed(&summary)?;
    page.raw("</main>")?;
    page.put(&footer(run))?;
    page.raw("</body></html>\n")
}

struct Page<'a> {
    reader: &'a Reader,
    run: &'a Run,
    names: BTreeMap<String, String>,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn put(&mut self, markup: &Markup) -> Result<(), ReportError> {
        self.raw(&markup.0)?;
        self.raw("\n")
    }

    /// Markup that is written in this file or was rendered by maud, never a value.
    fn raw(&mut self, markup: &str) -> Result<(), ReportError> {
        // Texts of others are escaped as markup; what turns the direction of writing has no place in any.
        self.out.write_all(visible_lines(markup).as_bytes())?;
        Ok(())
    }

    fn accounts(&mut self, tallies: &BTreeMap<String, AccountTally>) -> Result<(), ReportError> {
        self.raw("<section aria-labelledby=\"accounts\"><h2 id=\"accounts\">Accounts</h2><div class=\"scroll\">")?;
        self.raw("<table class=\"accounts\"><caption>Every account of the run with its buckets by verdict</caption>")?;
        self.put(&html! {
            thead {
                tr {
                    th scope="col" { "Account" }
                    th scope="col" { "Outcome" }
                    th scope="col" class="number" { "Buckets" }
                    @for &verdict in kind::verdicts(self.run) { th scope="col" class="number" { (capital(title(verdict))) } }
                    th scope="col" class="share" { "Share" }
                }
            }
        })?;
        self.raw("<tbody data-rows>")?;
        for (id, tally) in tallies {
            self.put(&rows::account(id, tally, kind::verdicts(self.run)))?;
        }
        if tallies.is_empty() {
            self.put(&rows::nothing(4 + kind::verdicts(self.run).len(), "No account was found."))?;
        }
        self.raw("</tbody></table></div></section>\n")
    }

    /// Every bucket that is not sealed.
    fn others(&mut self, summary: &Summary) -> Result<(), ReportError> {
        let (goal, all) = (kind::goal(self.run), summary.buckets - kind::reached(self.run, summary));
        self.put(&html! {
            h2 id="findings" { "Buckets that are not " (title(goal)) " " span.amount { (number(all)) } }
            @if all > MOST_OTHERS { (cut(self.run, MOST_OTHERS, all)) }
        })?;
        self.raw("<div class=\"scroll\"><table class=\"findings\">")?;
        self.put(&html! {
            caption { "Buckets whose default encryption is not as wanted, or not known, with the reason and what was found" }
            thead {
                tr {
                    th scope="col" { "Bucket" }
                    th scope="col" { "Account" }
                    th scope="col" { "Verdict" }
                    th scope="col" { "Why" }
                    th scope="col" { "Default encryption found" }
                }
            }
        })?;
        self.raw("<tbody data-rows data-verdicts>")?;
        let mut holds = EarlierHolds::of(self.reader, self.run);
        self.findings(
            MOST_OTHERS,
            |finding| finding.judgement.verdict != goal,
            |finding, name| Ok(rows::other(finding, name, holds.hold(finding)?)),
        )?;
        if all == 0 {
            let words = match summary.buckets {
                0 => "No bucket was found.".to_owned(),
                _ => format!("None: every bucket found is {}.", title(goal)),
            };
            self.put(&rows::nothing(5, &words))?;
        }
        self.raw("</tbody></table></div>\n")
    }

    fn sealed(&mut self, summary: &Summary) -> Result<(), ReportError> {
        let (goal, reached) = (kind::goal(self.run), kind::reached(self.run, summary));
        if reached == 0 {
            return Ok(());
        }
        self.raw("<details class=\"sealed\">")?;
        self.put(&html! {
            summary { h2 { (capital(title(goal))) " buckets " span.amount { (number(reached)) } } }
            p.note { (kind::scope(self.run)) }
            @if reached > MOST_SEALED { (cut(self.run, MOST_SEALED, reached)) }
        })?;
        self.raw("<div class=\"scroll\"><table class=\"findings\">")?;
        self.put(&html! {
            caption { "Buckets whose default encryption was read back from S3 and is as wanted" }
            thead {
                tr {
                    th scope="col" { "Bucket" }
                    th scope="col" { "Account" }
                    th scope="col" { "Why" }
                    th scope="col" { "Default encryption found" }
                }
            }
        })?;
        self.raw("<tbody data-rows>")?;
        self.findings(
            MOST_SEALED,
            |finding| finding.judgement.verdict == goal,
            |finding, name| Ok(rows::sealed(finding, name)),
        )?;
        self.raw("</tbody></table></div></details>\n")
    }

    fn findings(
        &mut self,
        most: u64,
        wanted: impl Fn(&Finding) -> bool,
        mut row: impl FnMut(&Finding, &str) -> Result<Markup, ReportError>,
    ) -> Result<(), ReportError> {
        let (reader, run) = (self.reader, self.run);
        let mut written = 0;
        let suggest = in_page(run);
        walk(reader, run, |mut finding| {
            if let Some(error) = &mut finding.error {
                error.hint = suggest.completed(&error.hint).into_owned();
            }
            if !wanted(&finding) {
                return Ok(ControlFlow::Continue(()));
            }
            if written == most {
                return Ok(ControlFlow::Break(()));
            }
            written += 1;
            let markup = row(&finding, self.names.get(&finding.bucket.account).map_or("", String::as_str))?;
            self.put(&markup)?;
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// Completes commands in hints. A page is read on other machines: files and directories of this one would mislead there.
fn in_page(run: &Run) -> Suggest {
    Suggest::of_run(&Place::default(), run)
}

fn names(tallies: &BTreeMap<String, AccountTally>) -> BTreeMap<String, String> {
    tallies.iter().filter_map(|(id, tally)| Some((id.clone(), tally.account.as_ref()?.name.clone()))).collect()
}

fn head(binding: &Binding, run: &Run) -> Markup {
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            // By this a later report knows that it may replace the file.
            meta name="generator" content="orgseal";
            meta http-equiv="Content-Security-Policy"
                content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { "S3 default encryption in " (binding.organization) ", " (run.id) }
            style { (PreEscaped(CSS)) }
        }
    }
}

/// What is unknown is hatched, so that it is told apart without colour too.
fn patterns() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="hatch-ground" width="6" height="6" {}
                    rect class="hatch-line" width="3" height="6" {}
                }
            }
        }
    }
}

fn header(binding: &Binding, run: &Run, undone: &[String]) -> Markup {
    html! {
        header {
            p.kind {
                (capital(&run.kind))
                " · " time datetime=(run.started_at) { (moment(run.started_at)) }
            }
            h1 { "S3 default encryption in " span.id { (binding.organization) } }
            @if binding.endpoint.starts_with("sandbox ") {
                p.banner role="note" { "This is a simulated organization (" (binding.endpoint) "): no account of AWS was read or changed." }
            } @else if binding.endpoint != "aws" {
                p.banner role="note" { "This was read from " (binding.endpoint) ", not from AWS itself." }
            }
            @if let Some(ending) = ending(run) {
                p.banner role="note" { (capital(&ending)) "." }
            }
            @for words in undone { p.banner role="note" { (words) } }
            @if !run.selection.is_empty() {
                p.banner role="note" { "Selection: " (run.selection) ". This run covers nothing else." }
            }
        }
    }
}

fn hero(run: &Run, summary: &Summary, did: Option<&str>) -> Markup {
    html! {
        section.hero aria-labelledby="sealed" {
            div.headline {
                p.figure id="sealed" {
                    strong { (number(kind::reached(run, summary))) }
                    span {
                        @if summary.accounts_unread == 0 {
                            "of " (counted(summary.buckets, "bucket")) " " (title(kind::goal(run)))
                            @if let Some(share) = percent(kind::reached(run, summary), summary.buckets).filter(|_| is_whole(run, summary)) { br; span.share { (share) } }
                        } @else {
                            "of " (counted(summary.buckets - summary.unread, "readable bucket")) " " (title(kind::goal(run)))
                            br;
                            span.share {
                                (number(verified(summary))) " of " (counted(to_verify(summary), "account")) " verified · "
                                (counted(summary.accounts_unread, "account")) " unknown"
                            }
                        }
                    }
                }
                @if let Some(did) = did { p.scope { "This run: " (did) } }
                p.scope { (kind::scope(run)) " " (out_of_scope::says(summary)) }
            }
            @if let Some(bar) = bar::partial(
                kind::verdicts(run),
                |verdict| count(summary, verdict),
                bar::Unknown { accounts: summary.accounts_unread, of: to_verify(summary) },
            ) { (bar) }
            ul.legend {
                @for &verdict in kind::verdicts(run) {
                    @let buckets = count(summary, verdict);
                    li.zero[buckets == 0] {
                        (swatch(verdict))
                        // Beside unknown accounts it has to be told what the count is of.
                        span.name { (capital(title(verdict))) @if verdict == Verdict::Unread && summary.accounts_unread > 0 { " buckets" } }
                        span.amount { (amount(run, summary, verdict)) }
                    }
                }
                @if summary.accounts_unread > 0 {
                    li {
                        (swatch(Verdict::Unread))
                        span.name { "Unknown accounts" }
                        span.amount { (number(summary.accounts_unread)) }
                    }
                }
            }
            @if let Some(unknown) = unknown_share(summary) { p.unknown role="note" { (unknown) } }
        }
    }
}

/// What stands behind the endpoint, in words.
fn source(binding: &Binding) -> String {
    match binding.endpoint.as_str() {
        "aws" => format!("AWS (partition {})", binding.partition),
        other => format!("{other} (partition {})", binding.partition),
    }
}

fn facts(binding: &Binding, run: &Run, head: &Head, took: Option<String>) -> Markup {
    html! {
        section.facts aria-label="The run" {
            dl {
                div { dt { "Organization" } dd.id { (binding.organization) } }
                div { dt { "Read from" } dd { (source(binding)) } }
                div { dt { "Run" } dd.id { (run.id) } }
                @if let Some(plan) = &run.plan {
                    div { dt { "Approved plan" } dd.id { (plan.id) } }
                    @if !plan.approver.is_empty() { div.wide { dt { "Approved by" } dd.id { (plan.approver) } } }
                    div.wide { dt { "Plan, SHA-256" } dd.id { (plan.sha256) } }
                }
                @if let Some(campaign) = &run.parent { div { dt { "Undoes" } dd.id { (campaign) } } }
                div { dt { "State" } dd { (run.state.replace('_', " ")) } }
                div { dt { "Started" } dd { time datetime=(run.started_at) { (moment(run.started_at)) } } }
                @match run.finished_at {
                    Some(end) => {
                        div { dt { "Finished" } dd { time datetime=(end) { (moment(end)) } } }
                        @if let Some(took) = &took { div { dt { "Took" } dd { (took) } } }
                    },
                    None => { div { dt { "Finished" } dd { "not finished" } } },
                }
                div { dt { "Program" } dd { "orgseal " (run.version) } }
                div.wide { dt { "Run by" } dd.id { (run.caller) } }
                div.wide { dt { "Campaign file, SHA-256" } dd.id { (run.config_hash) } }
                div.wide { dt { "Ledger head, entry " (number(head.entries)) } dd.id { (head.hash) } }
            }
        }
    }
}

fn verdicts(run: &Run, summary: &Summary, reasons: &[ReasonCount], earlier: &EarlierTally) -> Markup {
    html! {
        section aria-labelledby="verdicts" {
            h2 id="verdicts" { "Verdicts and reasons" }
            div.scroll {
                table.verdicts {
                    caption { "Buckets by verdict, with the reasons beneath each" }
                    thead {
                        tr { th scope="col" { "Verdict" } th scope="col" class="number" { "Buckets" } th scope="col" { "What it means" } }
                    }
                    @for &verdict in kind::verdicts(run) {
                        @let buckets = count(summary, verdict);
                        tbody.zero[buckets == 0] {
                            tr.verdict {
                                th scope="rowgroup" { (swatch(verdict)) (capital(title(verdict))) }
                                td.number { (amount(run, summary, verdict)) }
                                td { (capital(&earlier.meaning(run, summary, verdict))) }
                            }
                            @for reason in reasons.iter().filter(|reason| reason.verdict == verdict) {
                                tr.reason {
                                    th scope="row" { code { (reason.reason.as_str()) } }
                                    td.number { (number(reason.buckets)) }
                                    td { (marked(reason.reason.says())) }
                                }
                            }
                        }
                    }
                    tfoot {
                        tr { th scope="row" { "All" } td.number { (number(summary.buckets)) } td {} }
                    }
                }
            }
        }
    }
}

fn wave_section(lines: &[WaveLine]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section aria-labelledby="waves" {
                h2 id="waves" { "Waves" }
                div.scroll {
                    table.waves {
                        caption { "Waves in their order, with their buckets and how far each has come" }
                        thead {
                            tr {
                                th scope="col" { "Wave" }
                                @for head in ["Accounts", "Buckets", "Sealed", "Held", "Failed", "Waiting"] {
                                    th scope="col" class="number" { (head) }
                                }
                                th scope="col" { "State" }
                            }
                        }
                        tbody {
                            @for line in lines {
                                tr {
                                    th scope="row" { (line.record.number) " " (line.record.name) }
                                    @for amount in [line.accounts, line.buckets, line.sealed, line.held, line.failed, line.not_sealed] {
                                        td.number.zero[amount == 0] { (number(amount)) }
                                    }
                                    td {
                                        (capital(&waves::state(&line.record)))
                                        @if !line.record.evidence.is_empty() {
                                            ul.evidence { @for seen in &line.record.evidence { li { (seen) } } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn exemption_section(lines: &[ExemptionLine]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section aria-labelledby="exemptions" {
                h2 id="exemptions" { "Exemptions " span.amount { (number(lines.len() as u64)) } }
                p.note { "An exempt bucket is not changed, because the exemptions file lists it. It is never counted as sealed." }
                div.scroll {
                    table.exemptions {
                        caption { "Exemptions with their reason, owner, ticket and last day, and the buckets that each exempts" }
                        thead {
                            tr {
                                th scope="col" { "Reason" } th scope="col" { "Owner" } th scope="col" { "Ticket" }
                                th scope="col" { "Until" } th scope="col" class="number" { "Buckets" } th scope="col" { "State" }
                            }
                        }
                        tbody {
                            @for line in lines {
                                tr {
                                    th scope="row" { (line.exemption.reason) }
                                    td { (line.exemption.owner) }
                                    td { (line.exemption.ticket) }
                                    td { (line.exemption.until) }
                                    td.number.zero[line.buckets == 0] { (number(line.buckets)) }
                                    td { (capital(line.used.as_str())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn unread_section(groups: &[SameError]) -> Markup {
    let all: usize = groups.iter().map(|group| group.accounts.len()).sum();
    html! {
        @if all > 0 {
            section.unread aria-labelledby="unread" {
                h2 id="unread" { "Accounts that could not be read " span.amount { (number(all as u64)) } }
                p.note { "Unknown is not compliant. What could not be read in these accounts is missing from every count of buckets on this page." }
                @for group in groups {
                    article {
                        h3 { code { (group.error.code) } " " span.amount { (counted(group.accounts.len() as u64, "account")) } }
                        p.message { (group.error.message) }
                        p.hint { (capital(&group.error.hint)) }
                        ul.members {
                            @for account in &group.accounts { li { span.id { (account.id) } " " (account.name) } }
                        }
                    }
                }
            }
        }
    }
}

/// Directory buckets, where the run counted them.
fn directory_bucket_section(accounts: &[AccountCount]) -> Markup {
    html! {
        @if !accounts.is_empty() {
            section aria-labelledby="directory-buckets" {
                h2 id="directory-buckets" { "Directory buckets (out of scope)" }
                p.note { "Directory buckets (S3 Express One Zone) are counted here and nothing else: their default encryption was not read." }
                div.scroll {
                    table.exemptions {
                        caption { "Accounts with directory buckets, or in which they could not be counted" }
                        thead {
                            tr {
                                th scope="col" { "Account" } th scope="col" class="number" { "Directory buckets" }
                                th scope="col" { "Not counted in" }
                            }
                        }
                        tbody {
                            @for account in accounts {
                                tr {
                                    th scope="row" { span.id { (account.id) } " " (account.name) }
                                    td.number { (account.amount()) }
                                    td {
                                        ul.evidence {
                                            @for unread in &account.unread {
                                                li { (unread.region) ": " (unread.error.code) ". " (capital(&unread.error.hint)) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Hidden until the script shows it: without the script the page is whole, only not filtered.
fn filter(run: &Run, summary: &Summary) -> Markup {
    let found: Vec<Verdict> = kind::verdicts(run)
        .iter()
        .copied()
        .filter(|verdict| *verdict != kind::goal(run) && count(summary, *verdict) > 0)
        .collect();
    html! {
        form.filter hidden data-filter role="search" aria-label="Filter the tables below" {
            input type="search" name="text" placeholder="Filter by account, bucket, Region, reason, key …" autocomplete="off"
                spellcheck="false" aria-label="Text to look for";
            @if !found.is_empty() {
                fieldset {
                    legend { "Verdicts" }
                    @for verdict in found {
                        label {
                            input type="checkbox" name="verdict" value=(verdict.as_str()) checked;
                            (swatch(verdict)) (capital(title(verdict)))
                        }
                    }
                }
            }
            output aria-live="polite" {}
        }
    }
}

fn footer(run: &Run) -> Markup {
    html! {
        footer {
            p {
                "Read from the ledger of run " span.id { (run.id) } ", recorded by orgseal " (run.version) ". Times are UTC. "
                "A count of " (title(kind::goal(run))) " buckets covers default encryption only. " (kind::scope(run))
            }
        }
        script { (PreEscaped(SCRIPT)) }
    }
}

fn cut(run: &Run, shown: u64, all: u64) -> Markup {
    html! {
        p.banner role="note" {
            "The first " (number(shown)) " of " (number(all)) " are listed here. All of them: "
            code { "orgseal report --format csv --output report.csv --campaign " (run.id) }
        }
    }
}

fn swatch(verdict: Verdict) -> Markup {
    html! {
        svg class="swatch" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false" {
            rect class={ "fill-" (verdict.as_str()) } width="12" height="12" rx="3" {}
        }
    }
}

/// With a capital letter: the words are shared with the terminal, where they stand within lines.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text in which names of settings stand between backticks.
fn marked(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// An account's outcome in a word.
fn outcome(tally: &AccountTally) -> &'static str {
    match tally.account.as_ref().map(|account| account.outcome) {
        Some(AccountOutcome::Read) => "read",
        Some(AccountOutcome::Unread) => "unread",
        Some(AccountOutcome::Skipped) => "skipped",
        None => "not finished",
    }
}
