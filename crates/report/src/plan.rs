//! A plan for people: on the terminal, cut short where it is long, and as Markdown, whole.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use anstyle::Effects;
use orgseal_core::model::{GuardFinding, GuardOutcome, OUT_OF_SCOPE_SAYS};
use orgseal_core::plan::{
    Decision, Forecast, HeadDifference, PlanDifference, PlanFile, PlanHead, PlannedBucket, PlannedPrincipal,
};

use serde_json::Value;

use crate::suggest::{Suggest, flagged, quoted};
use crate::terminal::Style;
use crate::words::{counted, moment, number, plain};
use crate::{ReportError, SCOPE};

/// Buckets that are named before a list is cut short.
const SHOWN: usize = 3;
/// Buckets to change that are named of each wave.
const SHOWN_TO_CHANGE: usize = 5;
/// Principals that are named before their list is cut short.
const SHOWN_PRINCIPALS: usize = 20;
/// Lines of evidence under a bucket.
const EVIDENCE: usize = 2;

/// What a plan comes to, gathered in one walk over its buckets.
#[derive(Default)]
struct Gathered {
    /// Held, by why, with the first buckets of each.
    held: BTreeMap<String, Group>,
    /// Changed though a guard spoke up.
    overridden: BTreeMap<String, Group>,
    exempt: BTreeMap<String, Group>,
    /// To change, by wave: how many, and the first of them.
    to_change: BTreeMap<u32, (u64, Vec<PlannedBucket>)>,
    /// A held bucket stands under several guards.
    held_twice: bool,
    /// A bucket that is changed does.
    overridden_twice: bool,
}

#[derive(Default)]
struct Group {
    buckets: u64,
    /// The first ones, each with what the guard found of it.
    some: Vec<(PlannedBucket, Option<GuardFinding>)>,
}

impl Group {
    fn add(&mut self, bucket: &PlannedBucket, finding: Option<&GuardFinding>) {
        self.buckets += 1;
        if self.some.len() < SHOWN {
            self.some.push((bucket.clone(), finding.cloned()));
        }
    }

    /// What to do about it, where the same is to be done for all of the first ones.
    fn same_hint(&self) -> Option<&str> {
        let mut hints =
            self.some.iter().filter_map(|(_, finding)| finding.as_ref()).map(|finding| finding.hint.as_str());
        let first = hints.next()?;
        hints.all(|hint| hint == first).then_some(first)
    }
}

fn gather(plan: &PlanFile) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    for bucket in plan.buckets()? {
        let bucket = bucket?;
        match bucket.decision {
            Decision::Hold => {
                let holding: Vec<&GuardFinding> = bucket.guards.iter().filter(|finding| finding.holds()).collect();
                if holding.is_empty() {
                    gathered.held.entry(bucket.why.clone()).or_default().add(&bucket, None);
                }
                gathered.held_twice |= holding.len() > 1;
                for finding in holding {
                    gathered.held.entry(titled(finding)).or_default().add(&bucket, Some(finding));
                }
            }
            Decision::Change => {
                let (count, some) = gathered.to_change.entry(bucket.wave.unwrap_or(1)).or_default();
                *count += 1;
                if some.len() < SHOWN_TO_CHANGE {
                    some.push(bucket.clone());
                }
                gathered.overridden_twice |= bucket.guards.len() > 1;
                for finding in &bucket.guards {
                    gathered.overridden.entry(titled(finding)).or_default().add(&bucket, Some(finding));
                }
            }
            Decision::Exempt => {
                let why = bucket.exemption.as_ref().map_or_else(String::new, |note| {
                    format!("{} ({}, {}, until {})", note.reason, note.owner, note.ticket, note.until)
                });
                gathered.exempt.entry(why).or_default().add(&bucket, None);
            }
            Decision::Keep | Decision::Unread => {}
        }
    }
    Ok(gathered)
}

fn titled(finding: &GuardFinding) -> String {
    match finding.outcome {
        GuardOutcome::Found => format!("{}: {}", finding.guard, finding.says),
        GuardOutcome::CannotTell => format!("{}, inconclusive: {}", finding.guard, finding.says),
    }
}

/// Seconds as people say them.
fn time(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `1,234.50`
fn money(usd: f64) -> String {
    let cents = (usd * 100.0).round().max(0.0) as u64;
    format!("{}.{:02}", number(cents / 100), cents % 100)
}

/// `1 account and Region`, `2 accounts and Regions`
fn places(count: u64) -> String {
    let noun = if count == 1 { "account and Region" } else { "accounts and Regions" };
    format!("{} {noun}", number(count))
}

/// `1 bucket`, with the number in a column of its own.
fn bucket_column(count: u64, width: usize) -> String {
    format!("{:>width$} {:<7}", number(count), if count == 1 { "bucket" } else { "buckets" })
}

fn forecast(plan: &PlanFile) -> Option<Forecast> {
    serde_json::from_value(plan.head.forecast.clone()).ok()
}

/// The forecast in sentences.
fn forecast_lines(plan: &PlanFile) -> Vec<String> {
    let Some(forecast) = forecast(plan) else { return Vec::new() };
    let requests = &forecast.requests;
    let services = [
        ("S3", requests.s3),
        ("Systems Manager", requests.ssm),
        ("KMS", requests.kms),
        ("STS", requests.sts),
        ("Organizations", requests.organizations),
        ("IAM", requests.iam),
        ("CloudTrail", requests.cloudtrail),
    ];
    let services: Vec<String> = services
        .iter()
        .filter(|(_, amount)| *amount > 0)
        .map(|(name, amount)| format!("{name} {}", number(*amount)))
        .collect();
    let mut lines = vec![
        format!(
            "{}, {} of them reading; approvals and pauses come on top",
            time(forecast.seconds),
            time(forecast.reading_seconds)
        ),
        format!(
            "{:.1} s for an execution, {}",
            plan.head.execution_seconds,
            if plan.head.execution_seconds_measured { "as measured here before" } else { "as [forecast] assumes" }
        ),
        format!("{}, {}", counted(forecast.executions, "automation execution"), counted(requests.total(), "request")),
        services.join(", "),
    ];
    let cost = &forecast.money;
    lines.push(format!(
        "KMS, a month once all is sealed: about {} USD for requests ({} without Bucket Keys) and {} for keys",
        money(cost.requests),
        money(cost.requests_without_bucket_keys),
        money(cost.keys)
    ));
    for load in forecast.kms.iter().filter(|load| load.above_quota_share) {
        lines.push(format!(
            "account {} in {}: {} KMS requests a second at its peak, near its quota of {}",
            load.account,
            load.region,
            number(load.peak_per_second.round().max(0.0) as u64),
            number(load.quota_per_second.round().max(0.0) as u64)
        ));
    }
    lines
}

/// Writes a plan for a person at a terminal. `file` is how the command line finds it.
pub fn write(plan: &PlanFile, file: &str, style: &Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let head = &plan.head;
    let ink = |text: &str, effects: Effects| match style.color {
        true => format!("{0}{text}{0:#}", anstyle::Style::new().effects(effects)),
        false => text.to_owned(),
    };
    let (bold, dim) = (|text: &str| ink(text, Effects::BOLD), |text: &str| ink(text, Effects::DIMMED));
    let place = if head.endpoint == "aws" { String::new() } else { format!(" ({})", head.endpoint) };
    writeln!(out, "\n{}", bold(&format!("Plan for {}{place}", head.organization)))?;
    writeln!(out, "{}", dim(&format!("{} · {}", head.id, moment(head.created_at))))?;
    writeln!(out, "{}", dim(&format!("by {}", head.caller)))?;
    if !head.selection.is_empty() {
        writeln!(out, "Selection: {}", head.selection)?;
    }
    writeln!(out)?;
    let decided = |decision: Decision| head.decisions.get(decision.as_str()).copied().unwrap_or(0);
    for (decision, one, many) in [
        (Decision::Change, "gets the central key", "get the central key"),
        (Decision::Hold, "is held back, for the reasons below", "are held back, for the reasons below"),
        (Decision::Exempt, "is exempt", "are exempt"),
        (Decision::Keep, "is as wanted already", "are as wanted already"),
        (Decision::Unread, "could not be read, and is not touched", "could not be read, and are not touched"),
    ] {
        let buckets = decided(decision);
        let means = if buckets == 1 { one } else { many };
        let line = format!("  {:<8} {} {means}", decision.as_str(), bucket_column(buckets, 9));
        writeln!(out, "{}", if buckets > 0 { line } else { dim(&line) })?;
    }
    wrapped(out, 2, style.width, SCOPE)?;
    wrapped(out, 2, style.width, OUT_OF_SCOPE_SAYS)?;
    if !head.unread_accounts.is_empty() {
        let them = counted(head.unread_accounts.len() as u64, "account");
        let in_them = if head.unread_accounts.len() == 1 { "it" } else { "them" };
        writeln!(out, "\n{}", bold(&format!("{them} could not be read: nothing in {in_them} is planned")))?;
        for account in head.unread_accounts.iter().take(SHOWN * 3) {
            let error = account.error.as_ref().map_or_else(String::new, ToString::to_string);
            writeln!(out, "  {}  {}  {}", account.id, plain(&account.name), plain(&error))?;
        }
        let more = head.unread_accounts.len().saturating_sub(SHOWN * 3);
        if more > 0 {
            writeln!(out, "  {}", dim(&format!("and {} more", number(more as u64))))?;
        }
    }
    writeln!(out, "\n{}", bold("Waves"))?;
    for wave in &head.waves {
        let bake = if wave.bake > 0 { format!(", then watched for {}", time(wave.bake as f64)) } else { String::new() };
        let approval = if wave.approval { ", needs approval" } else { "" };
        writeln!(
            out,
            "  {} {:<20} {} in {}{bake}{approval}",
            wave.number,
            plain(&wave.name),
            bucket_column(wave.buckets, 7),
            counted(wave.accounts, "account")
        )?;
    }
    writeln!(out, "\n{}", bold("With"))?;
    for key in &head.keys {
        let fault = key.fault.as_ref().map_or_else(String::new, |fault| format!("  cannot be used: {fault}"));
        writeln!(out, "  {:<16} {}{fault}", key.region, key.arn)?;
    }
    for document in &head.documents {
        let places = format!("in {}", places(document.places));
        writeln!(out, "  {} version {}, {places}", document.name, document.version)?;
        let of = document.hash_of.map_or("", |_| " of its canonical JSON");
        writeln!(out, "  {}", dim(&format!("  sha256{of} {}", document.sha256)))?;
        if let Some(aws_hash) = &document.aws_hash {
            writeln!(out, "  {}", dim(&format!("  hash by DescribeDocument {aws_hash}")))?;
        }
    }
    writeln!(out, "\n{}", bold("Forecast"))?;
    for line in forecast_lines(plan) {
        wrapped(out, 2, style.width, &line)?;
    }
    let gathered = gather(plan)?;
    let principals = Principals::of(head);
    let more = |out: &mut dyn Write, of: u64, shown: usize| match of - shown as u64 {
        0 => Ok(()),
        more => writeln!(out, "    {}", dim(&format!("and {} more", number(more)))),
    };
    if !gathered.to_change.is_empty() {
        writeln!(out, "\n{}", bold("To change"))?;
    }
    for (wave, (count, some)) in &gathered.to_change {
        let named = head.waves.iter().find(|one| one.number == *wave).map_or("", |one| one.name.as_str());
        writeln!(out, "  wave {wave} {}: {}", plain(named), counted(*count, "bucket"))?;
        for bucket in some {
            let place = format!("{}  {}  {}", bucket.account, bucket.region, bucket.bucket);
            writeln!(out, "    {place}  {}", plain(&bucket.why))?;
        }
        more(out, *count, some.len())?;
    }
    for (heading, groups, twice) in [
        ("Held", &gathered.held, gathered.held_twice),
        ("Changed though a guard spoke up", &gathered.overridden, gathered.overridden_twice),
        ("Exempt", &gathered.exempt, false),
    ] {
        if groups.is_empty() {
            continue;
        }
        let twice = if twice { " (a bucket can appear under several guards)" } else { "" };
        writeln!(out, "\n{}", bold(&format!("{heading}{twice}")))?;
        let mut groups: Vec<_> = groups.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.buckets));
        for (why, group) in groups {
            wrapped(out, 2, style.width, &format!("{}: {}", counted(group.buckets, "bucket"), plain(why)))?;
            for (bucket, finding) in &group.some {
                writeln!(out, "    {}  {}  {}", bucket.account, bucket.region, bucket.bucket)?;
                let (lines, _) =
                    finding.as_ref().map(|finding| principals.not_told(bucket, finding)).unwrap_or_default();
                for line in lines.into_iter().take(EVIDENCE) {
                    wrapped(out, 6, style.width, &plain(line))?;
                }
                let told = finding.as_ref().is_some_and(|finding| principals.not_told(bucket, finding).1 > 0);
                if let (Some(finding), None, false) = (finding, group.same_hint(), told) {
                    wrapped(out, 6, style.width, &format!("→ {}", plain(&finding.hint)))?;
                }
            }
            more(out, group.buckets, group.some.len())?;
            let is_told = |(bucket, finding): &(PlannedBucket, Option<GuardFinding>)| {
                finding.as_ref().is_some_and(|finding| principals.not_told(bucket, finding).1 > 0)
            };
            match group.same_hint() {
                _ if group.some.iter().all(is_told) => {
                    writeln!(out, "    → for each principal its own fix: \"{PRINCIPALS}\", below")?;
                }
                Some(hint) => wrapped(out, 4, style.width, &format!("→ {}", plain(hint)))?,
                None => {}
            }
        }
    }
    if !head.blocking_principals.is_empty() {
        writeln!(out, "\n{}", bold(PRINCIPALS))?;
    }
    for principal in head.blocking_principals.iter().take(SHOWN_PRINCIPALS) {
        writeln!(out, "  {}", plain(&blocks(principal)))?;
        wrapped(out, 6, style.width, &plain(&principal.why))?;
        for fix in principal.fixes.iter().take(EVIDENCE) {
            wrapped(out, 4, style.width, &format!("→ {}", plain(fix)))?;
        }
    }
    let shown = head.blocking_principals.len().min(SHOWN_PRINCIPALS);
    more(out, head.blocking_principals.len() as u64 + head.more_blocking_principals, shown)?;
    if !head.account_warnings.is_empty() {
        writeln!(out, "\n{}", bold("Warnings"))?;
    }
    for warning in head.account_warnings.iter().take(SHOWN_PRINCIPALS) {
        let says = format!("  {}  {}: {}", warning.account, short(&warning.principal), warning.says);
        writeln!(out, "{}", plain(&says))?;
        wrapped(out, 4, style.width, &format!("→ {}", plain(&warning.hint)))?;
    }
    let warnings = head.account_warnings.len();
    more(out, warnings as u64, warnings.min(SHOWN_PRINCIPALS))?;
    for notice in &head.notices {
        writeln!(out)?;
        wrapped(out, 0, style.width, &format!("Warning: {notice}."))?;
    }
    writeln!(out, "\n{}", bold("What now"))?;
    writeln!(out, "  Read {}, or have it read. Its SHA-256 is what is approved:", quoted(file))?;
    writeln!(out, "  {}", bold(&plan.sha256))?;
    if decided(Decision::Change) > 0 {
        // The rollout of a narrowed plan is narrowed alike: otherwise it would read everything, and report the rest as held.
        let suggest = Suggest::of_plan(&style.place, &head.narrowed);
        let command = suggest.anew(&format!("rollout{} --plan-sha256 {}", flagged("--plan", file), plan.sha256));
        writeln!(out, "  {}", bold(&command))?;
        let them = counted(decided(Decision::Change), "bucket");
        let does = format!("changes {them} as planned; leaves out any bucket that differs from the plan by then");
        writeln!(out, "      {}", dim(&does))?;
    } else {
        writeln!(out, "  Nothing would be changed.")?;
    }
    Ok(())
}

/// The heading of the list that names each principal once.
const PRINCIPALS: &str = "Principals without rights on the central key";

/// The principals that a plan's head names: what guards found of them need not be repeated for each bucket.
struct Principals<'a>(HashSet<(&'a str, &'a str)>);

impl<'a> Principals<'a> {
    fn of(head: &'a PlanHead) -> Principals<'a> {
        let named = head.blocking_principals.iter();
        Principals(named.map(|one| (one.account.as_str(), one.principal.as_str())).collect())
    }

    /// A finding's lines of evidence that are not about these principals, and how many are.
    fn not_told<'f>(&self, bucket: &PlannedBucket, finding: &'f GuardFinding) -> (Vec<&'f str>, usize) {
        let is_told = |line: &str| {
            let first = line.split_once(' ').map_or(line, |(first, _)| first);
            self.0.contains(&(bucket.account.as_str(), first))
        };
        let lines = finding.evidence.iter().map(String::as_str);
        let told = lines.clone().filter(|line| is_told(line)).count();
        // "and 10 more" counts such lines too.
        let rest =
            lines.filter(|line| !(is_told(line) || told > 0 && line.starts_with("and ") && line.ends_with(" more")));
        (rest.collect(), told)
    }
}

/// `role/prowler-scan`
fn short(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

/// `111122223333  role/prowler-scan blocks 15 buckets of this account: it lacks kms:Decrypt`
fn blocks(principal: &PlannedPrincipal) -> String {
    format!(
        "{}  {} blocks {} of this account: it lacks {}",
        principal.account,
        short(&principal.principal),
        counted(principal.buckets, "bucket"),
        principal.lacks.join(" and ")
    )
}

/// Running text, broken between words.
fn wrapped(out: &mut dyn Write, indent: usize, width: u16, text: &str) -> Result<(), ReportError> {
    let room = usize::from(width).min(120).saturating_sub(indent).max(20);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            writeln!(out, "{:indent$}{line}", "")?;
            line.clear();
            if text.starts_with("→ ") {
                line.push(' ');
            }
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{:indent$}{line}", "")?;
    Ok(())
}

/// Writes a plan as Markdown, whole: every bucket that is changed, held or exempt has its line.
pub fn write_markdown(plan: &PlanFile, out: &mut dyn Write) -> Result<(), ReportError> {
    let head = &plan.head;
    writeln!(out, "# Plan {}\n", head.id)?;
    writeln!(out, "| | |\n| --- | --- |")?;
    for (name, value) in [
        ("organization", head.organization.clone()),
        ("made", moment(head.created_at)),
        ("by", head.caller.clone()),
        ("SHA-256 of the plan file", format!("`{}`", plan.sha256)),
        ("SHA-256 of the campaign file", format!("`{}`", head.campaign_file_sha256)),
        (
            "SHA-256 of the exemptions",
            head.exemptions_sha256.as_ref().map_or("none".to_owned(), |hash| format!("`{hash}`")),
        ),
        (
            "Selection",
            if head.selection.is_empty() { "all accounts and buckets".to_owned() } else { head.selection.clone() },
        ),
    ] {
        writeln!(out, "| {name} | {} |", cell(&value))?;
    }
    writeln!(out, "\n## Decisions\n\n| decision | buckets |\n| --- | ---: |")?;
    for (decision, buckets) in &head.decisions {
        writeln!(out, "| {decision} | {} |", number(*buckets))?;
    }
    writeln!(
        out,
        "\n{SCOPE}\n\n{OUT_OF_SCOPE_SAYS}\n\n## Waves\n\n| | wave | accounts | buckets | watched for | approval |\n| ---: | --- | ---: | ---: | --- | --- |"
    )?;
    for wave in &head.waves {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            wave.number,
            cell(&wave.name),
            number(wave.accounts),
            number(wave.buckets),
            if wave.bake > 0 { time(wave.bake as f64) } else { String::new() },
            if wave.approval { "needed" } else { "" }
        )?;
    }
    writeln!(out, "\n## Keys and documents\n\n| Region | key | |\n| --- | --- | --- |")?;
    for key in &head.keys {
        let fault = key.fault.as_ref().map(ToString::to_string).unwrap_or_default();
        writeln!(out, "| {} | `{}` | {} |", key.region, key.arn, cell(&fault))?;
    }
    writeln!(
        out,
        "\n| document | version | SHA-256 of its canonical JSON | hash by DescribeDocument | accounts and Regions |\n| --- | --- | --- | --- | ---: |"
    )?;
    for document in &head.documents {
        let places = number(document.places);
        // Plans of earlier versions hold the hash of the text that GetDocument returned.
        let of = document.hash_of.map_or(" (of the text that GetDocument returned)", |_| "");
        let aws_hash = document.aws_hash.as_ref().map_or("not recorded".to_owned(), |hash| format!("`{hash}`"));
        let name = cell(&document.name);
        writeln!(out, "| {name} | {} | `{}`{of} | {aws_hash} | {places} |", document.version, document.sha256)?;
    }
    writeln!(out, "\n## Forecast\n")?;
    for line in forecast_lines(plan) {
        writeln!(out, "- {}", cell(&line))?;
    }
    if !head.unread_accounts.is_empty() {
        writeln!(out, "\n## Accounts that could not be read\n\n| account | name | why |\n| --- | --- | --- |")?;
        for account in &head.unread_accounts {
            let error = account.error.as_ref().map_or_else(String::new, ToString::to_string);
            writeln!(out, "| {} | {} | {} |", account.id, cell(&account.name), cell(&error))?;
        }
    }
    if !head.blocking_principals.is_empty() {
        writeln!(out, "\n## {PRINCIPALS}\n\n| account | principal | buckets held | lacks | why | fix |")?;
        writeln!(out, "| --- | --- | ---: | --- | --- | --- |")?;
    }
    for principal in &head.blocking_principals {
        let PlannedPrincipal { account, principal, buckets, lacks, why, fixes } = principal;
        let (principal, lacks) = (cell(principal), lacks.join(", "));
        let buckets = number(*buckets);
        writeln!(
            out,
            "| {account} | {principal} | {buckets} | {lacks} | {} | {} |",
            cell(why),
            cell(&fixes.join("; "))
        )?;
    }
    if head.more_blocking_principals > 0 {
        writeln!(out, "\nAnd {} more.", number(head.more_blocking_principals))?;
    }
    if !head.account_warnings.is_empty() {
        writeln!(out, "\n## Warnings\n\n| account | principal | | what to do |\n| --- | --- | --- | --- |")?;
    }
    for warning in &head.account_warnings {
        let (principal, says) = (cell(&warning.principal), cell(&warning.says));
        writeln!(out, "| {} | {principal} | {says} | {} |", warning.account, cell(&warning.hint))?;
    }
    let principals = Principals::of(head);
    for (decision, heading) in [
        (Decision::Hold, "Held"),
        (Decision::Exempt, "Exempt"),
        (Decision::Unread, "Unread"),
        (Decision::Change, "To change"),
    ] {
        if head.decisions.get(decision.as_str()).copied().unwrap_or(0) == 0 {
            continue;
        }
        writeln!(
            out,
            "\n## {heading}\n\n| account | Region | bucket | wave | why |\n| --- | --- | --- | ---: | --- |"
        )?;
        for bucket in plan.buckets()? {
            let bucket = bucket?;
            if bucket.decision != decision {
                continue;
            }
            let wave = bucket.wave.map(|wave| wave.to_string()).unwrap_or_default();
            let place = format!("| {} | {} | {} | {wave}", bucket.account, bucket.region, cell(&bucket.bucket));
            writeln!(out, "{place} | {} |", cell(&why(&bucket, Some(&principals))))?;
        }
    }
    for notice in &head.notices {
        writeln!(out, "\nWarning: {}.", cell(notice))?;
    }
    Ok(())
}

/// Why a bucket has its decision, with the evidence of guards. Principals that are told of elsewhere are counted.
fn why(bucket: &PlannedBucket, told: Option<&Principals<'_>>) -> String {
    let mut text = bucket.why.clone();
    for finding in &bucket.guards {
        let overridden = if finding.overridden { " (overridden)" } else { "" };
        let (mut lines, many) = match told {
            Some(told) => told.not_told(bucket, finding),
            None => (finding.evidence.iter().map(String::as_str).collect(), 0),
        };
        let above = format!("{} listed above", counted(many as u64, "principal"));
        if many > 0 {
            lines.push(&above);
        }
        text.push_str(&format!("; {}{overridden}: {}", titled(finding), lines.join("; ")));
    }
    if let Some(note) = &bucket.exemption {
        text.push_str(&format!("; {} ({}, {}, until {})", note.reason, note.owner, note.ticket, note.until));
    }
    if let Some(error) = &bucket.error {
        text.push_str(&format!("; {error}"));
    }
    text
}

/// Other people's text in a cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|").replace('<', "&lt;")
}

/// One difference between two plans, in a line or two.
#[must_use]
pub fn difference(difference: &PlanDifference) -> String {
    let place = |bucket: &PlannedBucket| format!("{} {} {}", bucket.account, bucket.region, bucket.bucket);
    let text = match difference {
        PlanDifference::Head(HeadDifference { name, before, after }) => {
            format!("{name}: {} -> {}", words(before), words(after))
        }
        PlanDifference::Added(bucket) => {
            format!("+ {}: {} ({})", place(bucket), bucket.decision.as_str(), why(bucket, None))
        }
        PlanDifference::Removed(bucket) => {
            format!("- {}: {} ({})", place(bucket), bucket.decision.as_str(), why(bucket, None))
        }
        PlanDifference::Changed { before, after, parts } => {
            let decision = match before.decision == after.decision {
                true => before.decision.as_str().to_owned(),
                false => format!("{} -> {}", before.decision.as_str(), after.decision.as_str()),
            };
            let differ = if parts.len() == 1 { "differs" } else { "differ" };
            format!("~ {}: {decision}, {} {differ} ({})", place(after), parts.join(", "), why(after, None))
        }
    };
    plain(&text).into_owned()
}

/// A value as people read it, in a line.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name} {}", words(value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_has_thousands_and_no_less_than_nothing() {
        let said = [0.0, -0.0, -0.001, 0.004, 0.005, 1.5, 999.999, 1_234_567.891].map(money);
        assert_eq!(said, ["0.00", "0.00", "0.00", "0.00", "0.01", "1.50", "1,000.00", "1,234,567.89"]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!((places(1), places(2_000)), ("1 account and Region".into(), "2,000 accounts and Regions".into()));
        assert_eq!((bucket_column(1, 3), bucket_column(20, 3)), ("  1 bucket ".into(), " 20 buckets".into()));
    }

    #[test]
    fn a_difference_of_heads_is_a_line() {
        let line = |name: &str, before, after| {
            difference(&PlanDifference::Head(HeadDifference { name: name.into(), before, after }))
        };
        assert_eq!(line("wave 1 approval", json!(false), json!(true)), "wave 1 approval: no -> yes");
        assert_eq!(line("selection", json!(null), json!("region eu-*")), "selection: none -> region eu-*");
        let wave = json!({ "name": "rest", "bake": 60, "fault": null });
        assert_eq!(line("wave 2", json!(null), wave), "wave 2: none -> bake 60, name rest");
        assert_eq!(line("target x", json!([]), json!(["a", "b"])), "target x: none -> a, b");
    }
}
