//! The guide for newcomers: each of its commands does, in a fresh organization, what the guide says.

use crate::world::World;

const GUIDE: &str = include_str!("../../docs/guide/getting-started.md");

/// The fenced blocks of a page: what stands behind the fence, and the lines.
fn blocks(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(kind), false) => {
                found.push((kind.to_owned(), Vec::new()));
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => found.last_mut().unwrap().1.push(line.to_owned()),
            (None, false) => {}
        }
    }
    found
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let world = World::of(include_str!("../../config/sandbox/fresh.toml"));
    let mut tried = Vec::new();
    let mut plan_sha256 = String::new();
    for (kind, lines) in blocks(GUIDE) {
        match kind.as_str() {
            "toml" => world.edit(|text| format!("{text}\n{}\n", lines.join("\n"))),
            "toml excerpt" => {
                let text = std::fs::read_to_string(world.campaign_file()).unwrap();
                let (mine, its) = (lines[1].split("111122223333"), text.split(world.sandbox.security_account()));
                assert!(mine.zip(its.skip(1)).count() > 0 && text.contains(":key/NEW\""), "{text}");
            }
            "sh" | "sh as-management" => {
                for line in lines {
                    let (command, expected) = match line.split_once("  # exit code ") {
                        Some((command, code)) => (command.to_owned(), code.split(':').next().unwrap().parse().unwrap()),
                        None => (line, 0),
                    };
                    let mut arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
                    // The world names the file itself, and nobody is there to answer.
                    let file = arguments.iter().position(|word| *word == "--config").expect("a campaign file");
                    arguments.drain(file..file + 2);
                    let verb = arguments[0].to_owned();
                    let asks = ["deploy", "rollout"].iter().any(|verb| arguments.contains(verb));
                    arguments.extend(asks.then_some("--yes"));
                    if arguments.contains(&"--plan") {
                        arguments.extend(["--plan-sha256", &plan_sha256]);
                    }
                    let run = match kind.as_str() {
                        "sh" => world.run(&arguments),
                        _ => world.as_management(&arguments),
                    };
                    assert_eq!(run.code, expected, "{command}\n{}\n{}", run.stdout, run.stderr);
                    if verb == "plan" {
                        let approved = run.stdout.split_once("is what is approved:").unwrap().1;
                        plan_sha256 = approved.split_whitespace().next().unwrap().to_owned();
                    }
                    tried.push(verb);
                }
            }
            other => panic!("what is a block of {other}?"),
        }
    }
    assert_eq!(
        tried,
        ["config", "bootstrap", "bootstrap", "bootstrap", "preflight", "audit", "plan", "rollout", "status", "report"]
    );
    // The first wave is sealed, and nothing else.
    let canary = world.sandbox.accounts().into_iter().find(|account| account.name == "payments-test").unwrap();
    for bucket in world.sandbox.buckets() {
        assert_eq!(world.is_sealed(&bucket), bucket.account == canary.id, "{}", bucket.name);
    }
    assert!(std::fs::read_to_string(world.path("report.html")).unwrap().contains("payments-test"));
}
