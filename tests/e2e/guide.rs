//! The guide for newcomers: each of its commands does, in a fresh organization, what the guide says.

use crate::world::{World, block_on};

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

/// A command of the AWS CLI, as the request that it makes with the management account's credentials.
fn enable(world: &World, command: &str) {
    let (access_key, secret) = world.sandbox.management_credentials();
    let config = aws_sdk_organizations::Config::builder()
        .behavior_version(aws_sdk_organizations::config::BehaviorVersion::latest())
        .region(aws_sdk_organizations::config::Region::new("us-east-1"))
        .endpoint_url(world.sandbox.endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(aws_sdk_organizations::config::Credentials::new(access_key, secret, None, None, "test"))
        .build();
    let organizations = aws_sdk_organizations::Client::from_conf(config);
    let words: Vec<&str> = command.split_whitespace().collect();
    let value = |flag: &str| {
        let at = words.iter().position(|word| *word == flag).unwrap_or_else(|| panic!("{flag}: {command}"));
        words[at + 1].replace("111122223333", world.sandbox.security_account())
    };
    assert_eq!(words[..2], ["aws", "organizations"], "{command}");
    block_on(async {
        match words[2] {
            "enable-aws-service-access" => {
                let service = value("--service-principal");
                organizations.enable_aws_service_access().service_principal(service).send().await.unwrap();
            }
            "register-delegated-administrator" => {
                let request = organizations.register_delegated_administrator().account_id(value("--account-id"));
                request.service_principal(value("--service-principal")).send().await.unwrap();
            }
            "enable-policy-type" => {
                let roots = organizations.list_roots().send().await.unwrap();
                let request = organizations.enable_policy_type().root_id(roots.roots()[0].id().unwrap());
                request.policy_type(value("--policy-type").as_str().into()).send().await.unwrap();
            }
            other => panic!("what does {other} do?"),
        }
    });
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let world = World::of(include_str!("../../config/sandbox/empty.toml"));
    let mut tried = Vec::new();
    let mut plan_sha256 = String::new();
    for (kind, lines) in blocks(GUIDE) {
        match kind.as_str() {
            "toml" => world.edit(|text| format!("{text}\n{}\n", lines.join("\n"))),
            // Shown, and tried with the AWS CLI in tests/conformance/test_deploy_script.py.
            "text" => {}
            "sh aws" => {
                let run = world.run(&["audit"]);
                assert!(run.code == 1 && run.stderr.contains("delegated administrator"), "{}", run.stderr);
                lines.iter().for_each(|line| enable(&world, line));
            }
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
