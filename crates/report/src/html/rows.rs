//! The rows of the page's tables.

use maud::{Markup, html};
use orgseal_core::ledger::EarlierHold;
use orgseal_core::model::{AccountOutcome, DefaultEncryption, Finding, GuardOutcome, Verdict};

use super::{bar, capital, marked, outcome};
use crate::account_tally::AccountTally;
use crate::earlier;
use crate::guards;
use crate::meaning::title;
use crate::words::{moment, number, under_way, why};

pub(super) fn account(id: &str, tally: &AccountTally, verdicts: &[Verdict]) -> Markup {
    let account = tally.account.as_ref();
    let outcome = outcome(tally);
    html! {
        tr {
            th scope="row" {
                span.id { (id) }
                @if let Some(account) = account { " " span.name { (account.name) } }
            }
            td {
                span class={ "outcome " (outcome.replace(' ', "-")) } { (capital(outcome)) }
                @if let Some(account) = account.filter(|account| account.state != "ACTIVE") {
                    " " span.state { (account.state) }
                }
            }
            @match (tally.counts.buckets(), account.map(|account| account.outcome)) {
                // A nought would say that there is nothing where nobody could look.
                (0, Some(AccountOutcome::Unread)) => {
                    td.unlooked colspan=(1 + verdicts.len()) { "unknown" }
                    td.share { (bar::unknown(160, 12, "small bar")) }
                },
                (0, Some(AccountOutcome::Skipped)) => {
                    td.unlooked colspan=(2 + verdicts.len()) { "not looked at, as the campaign file says" }
                },
                (buckets, _) => {
                    td.number { (number(buckets)) }
                    @for &verdict in verdicts {
                        @let buckets = tally.counts.of(verdict);
                        td.number.zero[buckets == 0] { (number(buckets)) }
                    }
                    td.share {
                        @if let Some(bar) = bar::bar(verdicts, |verdict| tally.counts.of(verdict), 160, 12, "small bar") { (bar) }
                    }
                },
            }
        }
    }
}

pub(super) fn other(finding: &Finding, account_name: &str, earlier: Option<&EarlierHold>) -> Markup {
    let verdict = finding.judgement.verdict;
    html! {
        tr data-verdict=(verdict.as_str()) {
            (bucket(finding))
            (owner(finding, account_name))
            td { span class={ "verdict " (verdict.as_str()) } { (capital(title(verdict))) } }
            td.why {
                (reason(finding))
                @if let Some(hold) = earlier { p { (capital(&earlier::in_words(hold))) "." } }
                @if let Some(error) = &finding.error {
                    p.message { code { (error.code) } " " (error.message) }
                    p.hint { (capital(&error.hint)) }
                }
                (guards(finding))
                (exemption(finding))
                (execution(finding))
                (sealed_time(finding))
            }
            td { (encryption(finding.encryption.as_ref())) }
        }
    }
}

pub(super) fn sealed(finding: &Finding, account_name: &str) -> Markup {
    html! {
        tr {
            (bucket(finding))
            (owner(finding, account_name))
            td.why { (reason(finding)) (guards(finding)) (execution(finding)) (sealed_time(finding)) }
            td { (encryption(finding.encryption.as_ref())) }
        }
    }
}

/// The one row of a table that has none.
pub(super) fn nothing(columns: usize, words: &str) -> Markup {
    html! { tr.nothing { td colspan=(columns) { (words) } } }
}

fn bucket(finding: &Finding) -> Markup {
    let region = &finding.bucket.region;
    html! {
        th scope="row" {
            span.bucket { (finding.bucket.name) }
            " " span.region { (if region.is_empty() { "Region unknown" } else { region }) }
        }
    }
}

fn owner(finding: &Finding, name: &str) -> Markup {
    html! { td { span.id { (finding.bucket.account) } " " span.name { (name) } } }
}

fn reason(finding: &Finding) -> Markup {
    html! { p { (marked(&capital(&why(finding)))) " " code.reason { (finding.judgement.reason.as_str()) } } }
}

/// What guards found, with the evidence.
fn guards(finding: &Finding) -> Markup {
    html! {
        @for guard in &finding.guards {
            p.guard { code { (guard.guard) } " " @if guard.outcome == GuardOutcome::CannotTell { "inconclusive: " } (guard.says)
                @if let Some(overridden) = guards::overridden(guard) { " " span.overridden { (overridden) } }
            }
            @if !guard.evidence.is_empty() { ul.evidence { @for line in &guard.evidence { li { (line) } } } }
            p.hint { (capital(&guard.hint)) }
        }
    }
}

fn exemption(finding: &Finding) -> Markup {
    html! {
        @if let Some(note) = &finding.exemption {
            p.exemption { (capital(&note.reason)) " (" (note.owner) ", " (note.ticket) ", until " (note.until) ")" }
        }
    }
}

fn execution(finding: &Finding) -> Markup {
    html! {
        @if let Some(execution) = &finding.execution {
            p.execution {
                "Execution " span.id { (execution.id) }
                @match &execution.status {
                    Some(status) => { ", " (status.as_str()) },
                    None => {},
                }
                @if under_way(execution) { ", still under way" }
            }
        }
    }
}

/// In a rollback: between when and when the bucket was under the central key.
fn sealed_time(finding: &Finding) -> Markup {
    html! {
        @if let Some(sealed) = &finding.sealed {
            p.sealed-time {
                "Sealed from " time datetime=(sealed.from) { (moment(sealed.from)) }
                @match sealed.until {
                    Some(until) => { " to " time datetime=(until) { (moment(until)) } },
                    None => { ", and not restored" },
                }
            }
        }
    }
}

fn encryption(found: Option<&DefaultEncryption>) -> Markup {
    let Some(found) = found else { return html! { p.none { "not known" } } };
    html! {
        @if found.rules.is_empty() { p.none { "none configured" } }
        @for rule in &found.rules {
            p {
                @match &rule.algorithm {
                    Some(algorithm) => { span.algorithm { (algorithm.as_str()) } },
                    None => { span.none { "no algorithm" } },
                }
                @if rule.has_bucket_key() { ", Bucket Key" }
                @if !rule.blocked_types().is_empty() {
                    ", " span.blocked { "blocked: " (Vec::from_iter(rule.blocked_types()).join(", ")) }
                }
            }
            @if let Some(key) = &rule.key { p.key { (key) } }
        }
    }
}
