//! Read-only runs work beside a changing run on the same state directory, and the ledger stays whole when either is killed.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::random::Random;
use crate::world::{World, wait_until};

const ORGANIZATION: &str = "accounts = 4\nbuckets_per_account = 20\nsuspended = 0\nwithout_member_role = 0\n\
    [executions]\nmin_seconds = 20\nmax_seconds = 60\n[encryption]\nwrong_region_key = 0\n";

fn spawn(world: &World, arguments: &[&str]) -> Child {
    world.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A rollout that has begun to change buckets.
fn rollout(world: &World) -> Child {
    let child = spawn(world, &["rollout", "--yes"]);
    wait_until("the rollout starts executions", || !world.sandbox.executions().is_empty());
    child
}

#[test]
fn audit_plan_report_and_status_work_beside_a_rollout() {
    // Slow enough to outlast all of them.
    let world = World::at_speed(ORGANIZATION, 1.0);
    let mut rollout = rollout(&world);
    let plan = world.path("plan.json");
    for (command, codes) in [
        (&["audit"][..], &[0, 2][..]),
        (&["plan", "--output", plan.to_str().unwrap()], &[0, 2]),
        // What the rollout has in flight is under way: exit code 3.
        (&["rollout", "--dry-run"], &[2, 3]),
        (&["report"], &[0, 2, 3]),
        (&["status"], &[0]),
        (&["ledger", "verify"], &[0]),
    ] {
        let run = world.run(command);
        assert!(codes.contains(&run.code), "{command:?}: {} {}", run.code, run.stderr);
    }
    assert_eq!(rollout.try_wait().unwrap(), None, "the rollout was still running beside all of them");
    // Another changing run is refused.
    for command in [&["rollout", "--yes"][..], &["resume", "--yes"], &["rollback", "--yes"]] {
        let run = world.run(command);
        assert_eq!(run.code, 1, "{command:?}: {}", run.stdout);
        assert!(run.stderr.contains(&format!("process {} on", rollout.id())), "{command:?}: {}", run.stderr);
    }
    rollout.kill().unwrap();
    rollout.wait().unwrap();
    let verified = world.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn the_chain_stays_whole_when_both_are_killed() {
    let world = World::at_speed(ORGANIZATION, 20.0);
    let mut random = Random::of_the_environment();
    let mut changing = rollout(&world);
    for round in 0..4 {
        let mut audits = [spawn(&world, &["audit"]), spawn(&world, &["audit"])];
        std::thread::sleep(Duration::from_millis(20 + random.below(250)));
        audits.iter_mut().for_each(|audit| audit.kill().unwrap());
        if round % 2 == 1 {
            changing.kill().unwrap();
            changing.wait().unwrap();
            let verified = world.run(&["ledger", "verify"]);
            assert_eq!(verified.code, 0, "seed {}, round {round}: {}", random.seed(), verified.stdout);
            changing = spawn(&world, &["resume", "--yes"]);
        }
        for audit in &mut audits {
            audit.wait().unwrap();
        }
    }
    assert_eq!(changing.wait().unwrap().code(), Some(0), "seed {}", random.seed());
    assert!(world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket)), "seed {}", random.seed());
    let verified = world.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "seed {}: {}", random.seed(), verified.stdout);
}
