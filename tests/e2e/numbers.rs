//! The numbers on the screen: unknown never looks green, an audit promises nothing that it did not look at, and a question is
//! about what this run does.

use serde_json::Value;

use crate::terminal::Terminal;
use crate::world::{Run, World, unbroken};

const ONE_OF_EACH_GUARD: &str = include_str!("../../config/sandbox/one-of-each-guard.toml");

/// Buckets by verdict.
fn counts(document: &Value) -> [u64; 2] {
    ["not_sealed", "held"].map(|name| document["summary"][name].as_u64().unwrap())
}

#[test]
fn an_audit_with_guards_a_plan_and_a_rollout_agree() {
    let world = World::of(ONE_OF_EACH_GUARD);
    let (_, lean) = world.json(&["audit"]);
    assert_eq!(lean["run"]["guards_evaluated"], false);
    let (_, audit) = world.json(&["audit", "--guards"]);
    assert_eq!(audit["run"]["guards_evaluated"], true);
    let file = world.path("plan.json");
    let (_, plan) = world.json(&["plan", "--output", file.to_str().unwrap()]);
    let (_, rollout) = world.json(&["rollout", "--dry-run"]);
    let decided = ["change", "hold"].map(|name| plan["head"]["decisions"][name].as_u64().unwrap());
    assert_eq!(counts(&audit), [9, 17]);
    assert_eq!((decided, counts(&rollout)), ([9, 17], [9, 17]));
    assert_eq!(counts(&lean), [26, 0], "the lean audit evaluates no guard");
}

#[test]
fn an_audit_without_guards_names_candidates_and_what_was_held_before() {
    let world = World::of(ONE_OF_EACH_GUARD);
    let before = world.run(&["audit"]);
    assert!(before.stdout.contains("rollout candidate, guards not evaluated"), "{}", before.stdout);
    assert!(!before.stdout.contains("a rollout would change"), "{}", before.stdout);
    assert!(!before.stdout.contains("held by "), "{}", before.stdout);
    assert!(unbroken(&before.stdout).contains("held ? guards not evaluated "), "{}", before.stdout);
    let (_, plan) = world.json(&["plan", "--output", world.path("plan.json").to_str().unwrap()]);
    let plan = plan["plan"].as_str().unwrap();
    let (_, audit) = world.json(&["audit"]);
    let earlier: Vec<&Value> =
        audit["findings"].as_array().unwrap().iter().filter(|finding| finding["earlier"].is_object()).collect();
    assert_eq!(earlier.len(), 17);
    assert!(earlier.iter().all(|finding| finding["earlier"]["run"] == plan && finding["verdict"] == "not_sealed"));
    assert!(earlier.iter().any(|finding| finding["earlier"]["guards"].to_string().contains("public-access")));
    for format in ["terminal", "html", "csv"] {
        let report = world.run(&["report", "--format", format]);
        let text = unbroken(&report.stdout.to_lowercase());
        assert!(text.contains(&format!("held by {} on ", plan.to_lowercase())), "{format}: {text}");
        assert!(format == "csv" || text.contains("guards not evaluated; 17 held earlier"), "{format}: {text}");
    }
    let text = world.run(&["report", "--campaign", audit["run"]["id"].as_str().unwrap()]).stdout;
    assert!(text.contains("Held earlier, guards not evaluated in this run (17)"), "{text}");
    assert!(text.contains("  guard public-access: "), "{text}");
}

#[test]
fn what_an_audit_with_guards_held_is_named_by_the_next_one_without() {
    let world = World::of(ONE_OF_EACH_GUARD);
    let (_, guarded) = world.json(&["audit", "--guards"]);
    let plan =
        guarded["next"].as_array().unwrap().iter().find(|step| step["command"].to_string().contains("orgseal plan"));
    assert!(plan.unwrap()["does"].to_string().contains("for 26 buckets (9 to change, 17 held now)"), "{guarded:#}");
    let (_, lean) = world.json(&["audit"]);
    let held = lean["findings"].as_array().unwrap().iter().filter(|finding| finding["earlier"].is_object());
    let runs: Vec<&Value> = held.map(|finding| &finding["earlier"]["run"]).collect();
    assert_eq!(runs, vec![&guarded["run"]["id"]; 17]);
    assert_eq!(lean["summary"]["held"], 0);
}

/// `1 bucket`, `2 buckets`
fn them(buckets: u64) -> String {
    format!("{buckets} bucket{}", if buckets == 1 { "" } else { "s" })
}

const WITH_UNKNOWN: &str = "accounts = 6\nbuckets_per_account = 3\nsuspended = 1\nwithout_member_role = 1";

#[test]
fn unknown_accounts_never_look_green() {
    let world = World::of(WITH_UNKNOWN);
    let (_, rollout) = world.json(&["rollout", "--yes"]);
    assert_eq!(rollout["summary"]["complete"], false);
    let sealed = rollout["summary"]["sealed"].as_u64().unwrap();
    assert_eq!(rollout["summary"]["buckets"], sealed, "everything that can be read is sealed");
    let headline =
        format!("4 of 6 accounts verified · {sealed} of {sealed} readable buckets sealed · 2 accounts unknown");
    let Run { stdout: text, stderr: aside, .. } = world.run(&["report"]);
    assert!(text.contains(&headline), "{text}");
    assert!(aside.is_empty(), "it is the newest run: {aside}");
    assert!(world.run(&["status"]).stdout.contains(&headline));
    let html = world.run(&["report", "--format", "html"]).stdout;
    assert!(html.contains("4 of 6 accounts verified · 2 accounts unknown"), "{html}");
    let legend = html.split("class=\"legend\"").nth(1).unwrap().split("</ul>").next().unwrap();
    assert!(legend.contains("Unknown accounts</span><span class=\"amount\">2</span>"), "{legend}");
    assert!(legend.contains("Unread buckets</span><span class=\"amount\">0</span>"), "{legend}");
    // An audit suggests to read again just what is unknown.
    let (_, audit) = world.json(&["audit"]);
    let unread = audit["accounts"].as_array().unwrap().iter().filter(|account| account["outcome"] == "unread");
    let flags: String = unread.map(|account| format!(" --account={}", account["id"].as_str().unwrap())).collect();
    let again =
        audit["next"].as_array().unwrap().iter().find(|step| step["does"].to_string().contains("reads 2 accounts"));
    assert!(
        again.unwrap()["command"].as_str().unwrap().starts_with(&format!("orgseal audit{flags} ")),
        "{:#}",
        audit["next"]
    );
    for text in [&text, &html] {
        assert!(!text.contains("100 %"), "{text}");
    }
    let bar = html.split("class=\"bar\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(bar.contains("fill-unread"), "{bar}");
}

#[test]
fn a_run_says_what_it_did_and_a_report_is_about_the_last_change() {
    let world = World::of("accounts = 4\nbuckets_per_account = 4\nsuspended = 0\nwithout_member_role = 0");
    let (_, rollout) = world.json(&["rollout", "--yes"]);
    let summary = |document: &Value, name: &str| document["summary"][name].as_u64().unwrap();
    let (changed, sealed) = (summary(&rollout, "changed"), summary(&rollout, "sealed"));
    assert!(changed > 0 && changed < sealed, "{changed} of {sealed}");
    let (_, audit) = world.json(&["audit"]);
    assert_eq!(summary(&audit, "changed"), 0);
    let report = world.run(&["report"]);
    let did =
        format!("This run: {changed} buckets changed and verified · {} already sealed · 0 failed · ", sealed - changed);
    assert!(report.stdout.contains(&did), "{}", report.stdout);
    let (campaign, newer) = (rollout["campaign"].as_str().unwrap(), audit["run"]["id"].as_str().unwrap());
    assert!(
        report.stderr.contains(&format!("report on {campaign}, "))
            && report.stderr.contains(&format!("--campaign {newer}"))
    );
    // A second rollout changes nothing, and says so.
    let again = world.run(&["rollout", "--yes"]);
    let did = format!("This run: 0 buckets changed and verified · {sealed} already sealed · 0 failed");
    assert!(again.stdout.contains(&did), "{}", again.stdout);
}

#[test]
fn a_question_is_about_this_run_and_a_no_takes_one_line() {
    let world = World::of(WITH_UNKNOWN);
    world.edit(|text| {
        format!("{text}\n[[waves]]\nname = \"first\"\naccounts_percent = 25\n\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n")
    });
    let (_, rehearsal) = world.json(&["rollout", "--dry-run"]);
    let (_, first) = world.json(&["rollout", "--dry-run", "--until-wave", "1"]);
    let all = rehearsal["summary"]["not_sealed"].as_u64().unwrap();
    let of_first = first["findings"].as_array().unwrap().iter();
    let of_first = of_first.filter(|finding| finding["wave"] == 1 && finding["verdict"] == "not_sealed").count() as u64;
    assert!(of_first > 0 && of_first < all, "{of_first} of {all}");
    let mut terminal = Terminal::open(world.command(&["rollout", "--until-wave", "1"]), 200);
    terminal.wait_for(&format!("Change {}? [y/N]", them(of_first)));
    let asked = terminal.screen();
    for text in [
        &format!("This run changes the default encryption of {} in 1 account in wave 1:", them(of_first)),
        &format!("Later, not in this run: {} in ", them(all - of_first)),
        " accounts verified · ",
        " readable buckets sealed · 2 accounts unknown",
        "Unknown: 2 accounts, ",
        "Already sealed: ",
        ", version 1, SHA-256 ",
    ] {
        assert!(asked.contains(text), "no {text:?} in\n{asked}");
    }
    terminal.send("n\n");
    let (code, screen) = terminal.close();
    let after = screen.split("[y/N]").last().unwrap();
    assert!(after.contains("declined: nothing was started (rollout-"), "{after}");
    assert!(!after.contains("verdict") && !after.contains("What now"), "{after}");
    assert_eq!(code, 3);
}
