//! The product's first command, and what it leaves behind.

use crate::world::{World, binary};

#[test]
fn one_command_seals_a_simulated_organization_and_a_second_one_finds_nothing_to_do() {
    let home = tempfile::TempDir::new().unwrap();
    let rollout = ["rollout", "--sandbox", "--yes", "--json", "--sandbox-speed", "50"];
    let first = binary(home.path()).args(rollout).output().unwrap();
    let stderr = String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(3), "{stderr}");
    let first: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    let summary = &first["summary"];
    assert_eq!(summary["accounts"], 50, "{summary}");
    assert_eq!(summary["accounts_unread"], 3, "one suspended, two without the role: {summary}");
    assert!(summary["buckets"].as_u64().unwrap() > 800, "{summary}");
    assert_eq!(summary["sealed"], summary["buckets"], "every reachable bucket: {summary}");
    assert!(summary["started"].as_u64().unwrap() > 500, "{summary}");
    let unread: Vec<_> =
        first["accounts"].as_array().unwrap().iter().filter(|account| account["outcome"] == "unread").collect();
    assert_eq!(unread.len(), 3);
    for account in unread {
        assert!(!account["error"]["hint"].as_str().unwrap().is_empty(), "{account}");
        assert!(!account["name"].as_str().unwrap().is_empty(), "{account}");
    }

    let second = binary(home.path()).args(rollout).output().unwrap();
    assert_eq!(second.status.code(), Some(3));
    let second: serde_json::Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(second["summary"]["started"], 0);
    assert_eq!(second["summary"]["sealed"], summary["sealed"]);
    assert_ne!(first["campaign"], second["campaign"]);
}

#[test]
fn an_organization_without_trouble_ends_with_exit_code_0() {
    let world = World::of("accounts = 6\nbuckets_per_account = 5\nsuspended = 0\nwithout_member_role = 0");
    assert_eq!(world.run(&["audit"]).code, 2, "not sealed yet");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert!(world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket)));
    assert_eq!(world.run(&["audit"]).code, 0);
}

#[test]
fn each_step_of_a_bucket_is_in_the_ledger() {
    let world = World::of("accounts = 3\nbuckets_per_account = 4\nsuspended = 0\nwithout_member_role = 0");
    let (_, document) = world.json(&["rollout", "--yes"]);
    let ledger = rusqlite(&world);
    let changed = document["summary"]["started"].as_i64().unwrap();
    assert!(changed > 0);
    for event in ["intended", "started", "ended", "read_back"] {
        let sql = format!("SELECT count(*) FROM entry WHERE json_extract(event, '$.event') = '{event}'");
        assert_eq!(ledger.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(), changed, "{event}");
    }
    // Law 9: the configuration found before the change is kept whole.
    let kept: i64 = ledger
        .query_row("SELECT count(*) FROM bucket WHERE execution IS NOT NULL AND found IS NOT NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(kept, changed);
}

#[test]
fn no_secret_is_written_anywhere() {
    let world = World::of("accounts = 4\nbuckets_per_account = 3");
    let log = world.path("log.json");
    let run = world.run(&["rollout", "--yes", "--log", "json", "--log-file", log.to_str().unwrap()]);
    let external_id = std::fs::read_to_string(world.campaign_file())
        .unwrap()
        .lines()
        .find_map(|line| line.trim().strip_prefix("external_id = ").map(|value| value.trim_matches('"').to_owned()))
        .unwrap();
    let (_, secret_key) = world.sandbox.credentials();
    let mut written = run.stdout.into_bytes();
    written.extend(run.stderr.into_bytes());
    written.extend(std::fs::read(&log).unwrap());
    for file in std::fs::read_dir(world.state()).unwrap() {
        written.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(written.len() > 10_000, "something was written");
    for secret in [external_id, secret_key] {
        assert!(!written.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

fn rusqlite(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.state().join("ledger.sqlite")).unwrap()
}
