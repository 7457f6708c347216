//! The request budget, by the sandbox's own counters.

use crate::world::{World, two_members};

const CLEAN: &str = "accounts = 8\nbuckets_per_account = 20\nsuspended = 0\nwithout_member_role = 0\n";

#[test]
fn an_audit_makes_exactly_the_requests_it_must() {
    let world = World::of(CLEAN);
    world.run(&["audit"]);
    let counters = world.sandbox.counters();
    assert_eq!(counters.totals("sts", "AssumeRole"), 8);
    assert_eq!(counters.totals("s3", "ListBuckets"), 8);
    assert_eq!(counters.totals("s3", "GetBucketEncryption"), 160);
    assert_eq!(counters.totals("sts", "GetCallerIdentity"), 1);
    assert_eq!(counters.totals("organizations", "DescribeOrganization"), 1);
    assert_eq!(counters.totals("organizations", "ListAccounts"), 1);
    assert_eq!(counters.all(), 8 + 8 + 160 + 3, "and nothing else: {counters:?}");
}

#[test]
fn a_change_makes_three_requests_and_few_polls() {
    let buckets: Vec<String> =
        (0..500).map(|n| format!("{{ name = \"bucket-{n:03}\", encryption = \"sse_s3\" }}")).collect();
    // The budget is about an account that does not throttle: a refused start is a request too.
    let executions = "\n[executions]\nmin_seconds = 5\nmax_seconds = 5\n[rates]\nenabled = false\n";
    let world = World::at_speed(&(two_members(&buckets.join(", "), "") + executions), 5.0);
    let set = ["--set", "limits.executions_per_account=100", "--set", "limits.executions_per_account_region=100"];
    // The key is described again after this time: on a slow machine the run must not pass it.
    let set = [&set[..], &["--set", "executions.key_checked_every=3600"]].concat();
    let run = world.run(&[&["rollout", "--yes"][..], &set].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let counters = world.sandbox.counters();
    // One read by the audit; then a start, a read before it, and a read back.
    assert_eq!(counters.totals("ssm", "StartAutomationExecution"), 500);
    // The sandbox's own engine reads too, but not over the socket.
    assert_eq!(counters.totals("s3", "GetBucketEncryption"), 3 * 500);
    assert_eq!(counters.totals("sts", "AssumeRole"), 4);
    let polls = counters.totals("ssm", "DescribeAutomationExecutions");
    assert!(polls <= 50, "{polls} polls for 500 buckets: more than 0.1 each");
    assert_eq!(counters.totals("ssm", "GetDocument"), 1);
    // Four fixed requests for the account and Region: the document, the first page of executions, and these two; one more
    // DescribeKey for the Region, as the security account.
    assert_eq!(counters.totals("kms", "DescribeKey"), 2);
    assert_eq!(counters.totals("kms", "GenerateDataKey"), 1);
    // Guards: each read once per bucket about to change, the account's identities and block once, the key's policy once.
    assert_eq!(counters.totals("kms", "GetKeyPolicy"), 1);
    assert_eq!(counters.totals("iam", "GetAccountAuthorizationDetails"), 1);
    // An organization without control policies of its own: one list of each type, however many accounts there are.
    assert_eq!(counters.totals("organizations", "ListPolicies"), 2);
    assert_eq!(counters.totals("organizations", "ListPoliciesForTarget"), 0);
    for read in ["GetBucketPolicy", "GetBucketPolicyStatus", "GetBucketTagging", "GetBucketReplication"] {
        assert_eq!(counters.totals("s3", read), 500, "{read}");
    }
    assert_eq!(counters.totals("ssm", "GetAutomationExecution"), 0);
}

#[test]
fn a_second_rollout_starts_nothing() {
    let world = World::of(CLEAN);
    world.run(&["rollout", "--yes"]);
    world.sandbox.reset_counters();
    world.run(&["rollout", "--yes"]);
    let counters = world.sandbox.counters();
    assert_eq!(counters.totals("ssm", "StartAutomationExecution"), 0);
    assert_eq!(counters.all(), 8 + 8 + 160 + 3, "it is an audit, and no more: {counters:?}");
}
