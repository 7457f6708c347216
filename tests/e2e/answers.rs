//! Answers that are cut off, empty or without end are no answers: what they would hide is unknown, and nothing is changed by them.

use serde_json::Value;

use crate::world::{World, finding};

const CUT: &str = "555555555551";
const CYCLING: &str = "555555555552";
const READ: &str = "555555555553";

/// Two accounts whose lists of buckets are unusable, and one in which single buckets' answers are.
fn world() -> World {
    World::of(&format!(
        r#"
accounts = 5
buckets_per_account = 0
suspended = 0
without_member_role = 0
[[account]]
name = "cut"
id = "{CUT}"
buckets = [{{ name = "cut-one", encryption = "sse_s3" }}, {{ name = "cut-two", encryption = "sse_s3" }}]
[[account]]
name = "cycling"
id = "{CYCLING}"
buckets = [{{ name = "cycling-one", encryption = "sse_s3" }}]
[[account]]
name = "read"
id = "{READ}"
buckets = [
  {{ name = "blocks", encryption = "sse_s3", blocked_types = "sse_c" }},
  {{ name = "empty", encryption = "sse_s3" }},
  {{ name = "endless", encryption = "sse_s3" }},
  {{ name = "whole", encryption = "sse_s3" }},
]
[[fault]]
kind = "truncated_body"
where = {{ operation = "ListBuckets", account = "{CUT}" }}
before = "<Bucket><Name>cut-two"
[[fault]]
kind = "cycling_token"
where = {{ operation = "ListBuckets", account = "{CYCLING}" }}
[[fault]]
kind = "truncated_body"
where = {{ operation = "GetBucketEncryption", bucket = "blocks" }}
before = "<BlockedEncryptionTypes"
[[fault]]
kind = "empty_body"
where = {{ operation = "GetBucketEncryption", bucket = "empty" }}
[[fault]]
kind = "endless_body"
where = {{ operation = "GetBucketEncryption", bucket = "endless" }}
"#
    ))
}

fn error_of<'a>(document: &'a Value, account: &str) -> &'a str {
    let accounts = document["accounts"].as_array().unwrap();
    let account = accounts.iter().find(|one| one["id"] == account).unwrap();
    assert_eq!(account["outcome"], "unread", "{account}");
    account["error"]["message"].as_str().unwrap()
}

#[test]
fn what_an_unusable_answer_hides_is_unknown_and_stays_as_it_is() {
    let world = world();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "{document:#}");
    let cut = error_of(&document, CUT);
    assert!(cut.starts_with("ListBuckets: the answer is cut off: element <"), "{cut}");
    let cycling = error_of(&document, CYCLING);
    assert!(cycling.contains("names the continuation token of an earlier page"), "{cycling}");
    for (bucket, says) in [
        ("blocks", "GetBucketEncryption: the answer is cut off: element <Rule> does not end"),
        ("empty", "GetBucketEncryption: the answer is empty"),
        ("endless", "GetBucketEncryption: the answer is larger than 16 MiB"),
    ] {
        let finding = finding(&document, bucket);
        assert_eq!((&finding["verdict"], &finding["reason"]), (&"unread".into(), &"read_error".into()), "{finding}");
        assert_eq!(finding["error"]["message"], says, "{finding}");
    }
    assert_eq!(finding(&document, "whole")["verdict"], "sealed");
    assert!(world.is_sealed(&world.bucket("whole")));
    let blocks = world.bucket("blocks").encryption.unwrap();
    assert_eq!((blocks.algorithm.as_str(), blocks.blocked), ("AES256", vec!["SSE-C".to_owned()]));
    assert_eq!(world.sandbox.executions().len(), 1);
}
