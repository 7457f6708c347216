//! Client CPU of an audit, against a bare SDK loop over the same reads.

use std::process::Command;

use crate::say;
use crate::world::World;

const SPEC: &str = "accounts = 40\nbuckets_per_account = 1000\nsuspended = 0\nwithout_member_role = 0\nregions = [\"us-east-1\", \"eu-west-1\"]";
const READS: f64 = 40_000.0;
const ROUNDS: usize = 3;

pub(crate) fn run() {
    let world = World::of(SPEC, 0.0);
    let accounts: Vec<String> = world.sandbox.accounts().into_iter().map(|account| account.id).collect();
    let mut bare_best = f64::MAX;
    let mut audit_best = f64::MAX;
    for _ in 0..ROUNDS {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("bare-loop").arg(world.sandbox.external_id()).args(&accounts);
        let bare = world.time(command);
        let audit = world.run(&["audit"]);
        say(&format!(
            "bare loop {:.2} s CPU in {:.1} s; audit {:.2} s CPU in {:.1} s",
            bare.cpu.as_secs_f64(),
            bare.wall.as_secs_f64(),
            audit.cpu.as_secs_f64(),
            audit.wall.as_secs_f64()
        ));
        bare_best = bare_best.min(bare.cpu.as_secs_f64());
        audit_best = audit_best.min(audit.cpu.as_secs_f64());
    }
    say(&format!(
        "{READS} reads, best of {ROUNDS}: bare loop {:.3} ms a read, audit {:.3} ms a read, ratio {:.2} (must be at most 1.5)",
        bare_best * 1000.0 / READS,
        audit_best * 1000.0 / READS,
        audit_best / bare_best
    ));
}
