//! What people and programs see of a run: snapshots of every format, and what must hold whatever the run holds.

mod fixture;

use fixture::{FORMULA, Fixture, KEY, MARKUP, kms, sse_s3};
use insta::assert_snapshot;
use orgseal_core::model::{AccountOutcome, Reason, Verdict};
use orgseal_report::{Format, Place, SCOPE, Style, exit_code};
use serde_json::Value;

/// Snapshots without what differs from run to run.
fn redacted(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC", "[moment]");
    settings.add_filter(r"took [\d.]+ s", "took [duration]");
    settings.add_filter(r"· \d+\.\d s\b", "· [duration]");
    settings.add_filter(r#""\d{4}-\d\d-\d\dT[\d:.]+Z""#, r#""[time]""#);
    settings.add_filter(r"\b[0-9a-f]{64}\b", "[sha256]");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(check);
}

/// Running text as one line, however it was broken.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn clean() -> Fixture {
    Fixture::new("audit", "finished", async |to| {
        to.account("111111111111", "payments", AccountOutcome::Read, None).await;
        to.judged("111111111111", "ledger", Verdict::Sealed, Reason::AsWanted, Some(kms(KEY)), None).await;
    })
    .await
}

#[tokio::test]
async fn the_terminal_shows_everything() {
    let text = Fixture::everything().await.text(Format::Terminal);
    redacted(|| assert_snapshot!("terminal", text));
}

#[tokio::test]
async fn the_terminal_stays_within_its_width() {
    let run = Fixture::everything().await;
    for width in [72, 80, 160] {
        let text = run.styled(Format::Terminal, Style { color: false, width, place: Place::default() });
        // Commands and ids are copied, so they are never broken.
        for line in text.lines().filter(|line| {
            !line.contains("aws ssm") && !line.trim().starts_with("orgseal ") && !line.trim().starts_with("arn:")
        }) {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
        assert!(unbroken(&text).contains(SCOPE), "{text}");
    }
}

#[tokio::test]
async fn without_colour_there_is_no_escape_code_whatever_the_names() {
    let run = Fixture::new("audit", "finished", async |to| {
        let error = fixture::error("X", "a\u{1b}[31mb", "c\u{7}d");
        to.account("111111111111", "evil\u{1b}[2Jname\u{202e}", AccountOutcome::Unread, Some(error)).await;
    })
    .await;
    let text = run.text(Format::Terminal);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.contains("evil\u{fffd}[2Jname"), "{text}");
}

#[tokio::test]
async fn a_clean_run_asks_for_nothing() {
    let run = clean().await;
    let text = run.text(Format::Terminal);
    assert!(text.contains("1 of 1 bucket sealed (100 %)"), "{text}");
    assert!(text.contains("Nothing to do"), "{text}");
    assert_eq!(exit_code(&run.reader.summary(&run.run).unwrap(), &run.run.state), 0);
}

#[tokio::test]
async fn unread_accounts_stand_beside_a_count_of_100_percent() {
    let run = Fixture::new("audit", "finished", async |to| {
        to.account("111111111111", "payments", AccountOutcome::Read, None).await;
        to.judged("111111111111", "ledger", Verdict::Sealed, Reason::AsWanted, Some(kms(KEY)), None).await;
        to.account("222222222222", "dark", AccountOutcome::Unread, None).await;
    })
    .await;
    let says = "1 of 2 accounts could not be read completely: what else it holds is unknown and not counted here.";
    for format in [Format::Terminal, Format::Html] {
        let text = unbroken(&run.text(format));
        assert!(text.contains(says), "{text}");
        assert!(!text.contains("Nothing to do"), "{text}");
    }
    assert_eq!(exit_code(&run.reader.summary(&run.run).unwrap(), &run.run.state), 3);
}

#[tokio::test]
async fn an_audit_leads_on_to_the_plan_in_the_same_place() {
    let run = Fixture::at("sandbox 7", "audit", "finished", async |to| {
        to.account("111111111111", "payments", AccountOutcome::Read, None).await;
        to.judged("111111111111", "uploads", Verdict::NotSealed, Reason::SseS3, Some(sse_s3()), None).await;
    })
    .await;
    let text = run.text(Format::Terminal);
    assert!(text.contains("  orgseal plan --sandbox --sandbox-seed 42\n"), "{text}");
    assert!(!text.contains("orgseal rollout"), "nothing leads around the approval: {text}");
    assert!(run.text(Format::Html).contains("This is a simulated organization (sandbox 7)"));
}

#[tokio::test]
async fn csv_has_a_line_per_bucket_and_per_unread_account() {
    let run = Fixture::everything().await;
    let text = run.text(Format::Csv);
    let summary = run.reader.summary(&run.run).unwrap();
    let mut lines = csv::Reader::from_reader(text.as_bytes());
    let mut verdicts: Vec<String> = lines.records().map(|line| line.unwrap()[4].to_owned()).collect();
    // The last lines say what the report is not about.
    let about = verdicts.len() - 3;
    assert!(verdicts.drain(about..).all(|verdict| verdict == "out_of_scope"), "{text}");
    assert_eq!(verdicts.len() as u64, summary.buckets + summary.accounts_unread);
    let unread = verdicts.iter().filter(|verdict| *verdict == "unread").count() as u64;
    assert_eq!(unread, summary.unread + summary.accounts_unread);
    assert!(text.contains(&format!(",'{FORMULA},")), "{text}");
    redacted(|| assert_snapshot!("csv", text));
}

#[tokio::test]
async fn json_keeps_its_contract() {
    let run = Fixture::everything().await;
    let text = run.text(Format::Json);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "orgseal.audit/1");
    assert_eq!(document["campaign"], run.run.id.as_str());
    assert_eq!(document["scope"], "default_encryption");
    let keys =
        ["schema", "organization", "campaign", "started_at", "finished_at", "summary", "scope", "accounts", "findings"];
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\n  \"{key}\": ")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    redacted(|| assert_snapshot!("json", text));

    let audit: Value = serde_json::from_str(&clean().await.text(Format::Json)).unwrap();
    assert_eq!(audit["campaign"], Value::Null);
}

#[tokio::test]
async fn the_sums_agree_in_every_format() {
    let run = Fixture::everything().await;
    let document: Value = serde_json::from_str(&run.text(Format::Json)).unwrap();
    let summary = &document["summary"];
    let findings = document["findings"].as_array().unwrap();
    let with = |verdict: &str| findings.iter().filter(|finding| finding["verdict"] == verdict).count() as u64;
    let mut sum = 0;
    for &verdict in Verdict::OF_SEALING {
        assert_eq!(summary[verdict.as_str()], with(verdict.as_str()), "{verdict:?}");
        sum += with(verdict.as_str());
    }
    assert_eq!(summary["buckets"], sum);
    assert_eq!(summary["accounts"], document["accounts"].as_array().unwrap().len());
    let rows = run.text(Format::Html).matches("class=\"bucket\"").count() as u64;
    assert_eq!(rows, sum);
}

#[tokio::test]
async fn html_is_escaped_self_contained_and_whole() {
    let run = Fixture::everything().await;
    let page = run.text(Format::Html);
    assert!(!page.contains(MARKUP), "an account's name became markup");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(page.matches("<script").count(), 1);
    for outside in ["http://", "https://", "src=", "@import", "<link", "<img", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains(&SCOPE.replace('"', "&quot;")));
    assert!(page.contains("Interrupted: not everything was read or finished."));
    for tag in ["table", "tbody", "tr", "td", "section", "details", "main", "div", "svg", "html", "body"] {
        let opened = page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("<th").count(), page.matches("<th scope=").count() + page.matches("<thead").count());
}

#[tokio::test]
async fn long_lists_are_cut_and_say_so() {
    let run = Fixture::new("audit", "finished", async |to| {
        to.account("111111111111", "payments", AccountOutcome::Read, None).await;
        for index in 0..5_003 {
            let name = format!("bucket-{index}");
            to.judged("111111111111", &name, Verdict::Sealed, Reason::AsWanted, Some(kms(KEY)), None).await;
        }
        for index in 0..12 {
            let name = format!("open-{index}");
            to.judged("111111111111", &name, Verdict::NotSealed, Reason::SseS3, Some(sse_s3()), None).await;
        }
    })
    .await;
    let page = run.text(Format::Html);
    assert!(page.contains("The first 5,000 of 5,003 are listed here."));
    assert!(page.contains("orgseal report --format csv"));
    assert_eq!(page.matches("class=\"bucket\"").count(), 5_012);
    let text = run.text(Format::Terminal);
    assert!(text.contains("Rollout candidates, guards not evaluated (12)"), "{text}");
    assert!(text.contains("and 2 more"), "{text}");
    assert!(text.contains("5,003 of 5,015 buckets sealed (99.7 %)"), "{text}");
}

#[tokio::test]
async fn a_run_without_anything_can_be_reported() {
    let run = Fixture::new("audit", "interrupted", async |_| {}).await;
    for format in Format::ALL {
        assert!(!run.text(format).is_empty());
    }
    let document: Value = serde_json::from_str(&run.text(Format::Json)).unwrap();
    assert_eq!(document["findings"], Value::Array(Vec::new()));
    assert!(run.text(Format::Terminal).contains("0 of 0 buckets sealed\n"));
    assert_eq!(exit_code(&run.reader.summary(&run.run).unwrap(), &run.run.state), 3);
}

#[test]
fn formats_are_named() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let wrong = "pdf".parse::<Format>().unwrap_err().to_string();
    assert_eq!(wrong, "`pdf` is not a report format; the formats are terminal, json, csv and html");
}
