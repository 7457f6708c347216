//! The groundwork: the same bytes for the same campaign file, and roles, key and guardrails that let pass what they must.

use std::path::Path;
use std::process::Command;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::ServerSideEncryption;
use serde_json::Value;

use crate::world::{World, binary, block_on, two_members};

const WRITER: &str = r#"
[[application]]
name = "writer"
accounts = ["payments"]
buckets = ["letters"]
writes_every_ms = 0
policy = '''{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": ["s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*" } ] }'''
"#;

fn rendered(world: &World) -> std::path::PathBuf {
    let run = world.run(&["bootstrap", "render", "groundwork", "--set", &in_this_organization(world)]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.path("groundwork")
}

fn in_this_organization(world: &World) -> String {
    format!("organization.id={}", world.sandbox.organization_id())
}

/// A policy as it would be put into an account: with what only the place knows.
fn policy(world: &World, folder: &Path, name: &str, account: &str) -> String {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.replace("EXTERNAL-ID", world.sandbox.external_id()).replace("MEMBER-ACCOUNT", account)
}

#[test]
fn the_shipped_groundwork_is_what_the_shipped_campaign_file_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let home = tempfile::TempDir::new().unwrap();
    let render = |arguments: &[&str]| {
        let mut command: Command = binary(home.path());
        command.args(["bootstrap", "render"]).args(arguments).arg("--config").arg(root.join("config/orgseal.toml"));
        command.args(["--set", "organization.id=o-a1b2c3d4e5", "--set", "member_role.external_id=EXTERNAL-ID"]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = render(&[root.join("config").to_str().unwrap(), "--check"]);
    assert_eq!(code, Some(0), "{said}\nrender config anew: docs/architecture.md says how");
    // The example as it is shipped, which names no organization.
    let mut shipped: Command = binary(home.path());
    shipped.args(["bootstrap", "render", "shipped", "--config"]).arg(root.join("config/orgseal.toml"));
    let output = shipped.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("is the shipped example"), "{said}");
    // Once more into a folder: every byte is the same, and what somebody changed is found.
    assert_eq!(render(&["twice"]).0, Some(0));
    let (code, said) = render(&["twice"]);
    assert!(code == Some(0) && said.starts_with("39 of 39 files"), "{said}");
    std::fs::write(home.path().join("twice/policies/caller.json"), "{}").unwrap();
    std::fs::remove_file(home.path().join("twice/shell/deploy.sh")).unwrap();
    std::fs::write(home.path().join("twice/of-mine"), "").unwrap();
    let (code, said) = render(&["twice", "--check"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("caller.json  differs") && said.contains("deploy.sh  is missing"), "{said}");
    assert!(!said.contains("of-mine"), "{said}");
    assert_eq!((render(&["twice"]).0, render(&["twice", "--check"]).0), (Some(0), Some(0)));
}

#[test]
fn rendering_from_a_sandbox_without_a_campaign_file_says_how_to_get_one() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orgseal"));
    let output = command.args(["bootstrap", "render", "groundwork", "--sandbox"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).replace("\n        ", " ");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("makes no AWS calls") && said.contains("--write-config campaign.toml"), "{said}");
    assert!(!said.contains("add --sandbox"), "{said}");
}

#[test]
fn what_the_campaign_file_does_not_say_is_asked_for() {
    let world = World::of("accounts = 3");
    world.edit(|text| text.lines().filter(|line| !line.starts_with("id = \"o-")).collect::<Vec<_>>().join("\n"));
    let run = world.run(&["bootstrap", "render", "groundwork"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("organization.id is missing") && run.stderr.contains("[organization]"),
        "{}",
        run.stderr
    );
    // A secret stands in no file.
    let folder = rendered(&world);
    let secret = world.sandbox.external_id();
    assert!(!secret.is_empty());
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => assert!(!std::fs::read_to_string(&path).unwrap().contains(secret), "{}", path.display()),
            }
        }
    }
}

#[test]
fn an_organization_with_the_rendered_roles_and_key_is_sealed_and_undone() {
    let world = World::of("accounts = 5\nbuckets_per_account = 3\nsuspended = 0\nwithout_member_role = 0\nseed = 3\n");
    let folder = rendered(&world);
    for account in world.sandbox.accounts() {
        let policy = |name: &str| policy(&world, &folder, name, &account.id);
        let put = |role: &str, name: &str| world.sandbox.set_role_policy(&account.id, role, &policy(name)).is_ok();
        // The sandbox's caller is a user.
        let trust = policy("policies/member-trust.json").replace(":role/orgseal\"", ":user/orgseal\"");
        let member = put("orgseal-member", "policies/member-rollout.json");
        if !member {
            continue;
        }
        assert!(put("orgseal-automation", "policies/automation.json"), "{}", account.id);
        world.sandbox.set_role_trust(&account.id, "orgseal-member", &trust).unwrap();
        let trust = policy("policies/automation-trust.json");
        world.sandbox.set_role_trust(&account.id, "orgseal-automation", &trust).unwrap();
    }
    world.sandbox.set_caller_policy(&policy(&world, &folder, "policies/caller.json", "")).unwrap();
    let key = std::fs::read_to_string(folder.join("policies/central-key.json")).unwrap();
    for region in ["us-east-1", "eu-west-1"] {
        world.sandbox.set_key_policy(&world.key(region), &key).unwrap();
    }
    let preflight = world.run(&["preflight"]);
    assert_eq!(preflight.code, 0, "{}{}", preflight.stdout, preflight.stderr);
    let before = world.sandbox.buckets();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let encryption = |buckets: Vec<orgseal_sandbox::BucketState>| -> Vec<_> {
        buckets.into_iter().map(|bucket| (bucket.name, bucket.encryption)).collect()
    };
    assert_eq!(encryption(world.sandbox.buckets()), encryption(before));
}

#[test]
fn guardrails_deny_other_keys_and_let_a_write_without_a_header_pass() {
    let payments = r#"{ name = "letters", encryption = "sealed" }"#;
    let world = World::of(&(two_members(payments, "") + WRITER));
    let folder = rendered(&world);
    let central = world.key("us-east-1");
    let keys = world.sandbox.application_credentials("writer").unwrap().remove(0);
    let s3 = world.s3("us-east-1", (keys.access_key_id, keys.secret_access_key, keys.session_token));
    let write = |sse: Option<ServerSideEncryption>, key: Option<&str>| -> Result<(), String> {
        let put = s3.put_object().bucket("letters").key("k").body(b"x".to_vec().into());
        let put = put.set_server_side_encryption(sse).set_ssekms_key_id(key.map(str::to_owned)).send();
        block_on(put).map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    let other = world.create_key("us-east-1");
    let kms = || Some(ServerSideEncryption::AwsKms);
    let text = |name: &str| std::fs::read_to_string(folder.join("guardrails").join(name)).unwrap();
    let put_all: [(&str, &dyn Fn()); 3] = [
        ("bucket policy", &|| {
            let policy = text("bucket-policy-other-key.json").replace("BUCKET-NAME", "letters");
            world.sandbox.set_bucket_policy("letters", Some(&policy)).unwrap();
        }),
        ("scp", &|| {
            world.sandbox.set_bucket_policy("letters", None).unwrap();
            world.sandbox.set_scp("guardrail", &["root"], &text("scp-other-key.min.json")).unwrap();
        }),
        ("rcp", &|| {
            world.sandbox.remove_scp("guardrail").unwrap();
            world.sandbox.set_rcp("guardrail", &["root"], &text("rcp-other-key.min.json")).unwrap();
        }),
    ];
    assert_eq!(write(Some(ServerSideEncryption::Aes256), None), Ok(()), "nothing denies it yet");
    for (name, put) in put_all {
        put();
        assert_eq!(write(None, None), Ok(()), "{name}: a write that names nothing");
        assert_eq!(write(kms(), Some(&central)), Ok(()), "{name}: the central key");
        for (sse, key) in [
            (Some(ServerSideEncryption::Aes256), None),
            (kms(), None),
            (kms(), Some(other.as_str())),
            (Some(ServerSideEncryption::AwsKmsDsse), Some(other.as_str())),
        ] {
            assert_eq!(write(sse.clone(), key), Err("AccessDenied".to_owned()), "{name}: {sse:?} {key:?}");
        }
    }
}

/// An unsigned PutObject that asks for SSE-S3, or names no encryption: its status.
fn anonymous_write(world: &World, bucket: &str, encryption: &str) -> u16 {
    use std::io::{Read, Write};
    let address = world.sandbox.endpoint().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let request = format!(
        "PUT /{bucket}/k HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1\r\nConnection: close\r\n{encryption}\r\nx"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// An anonymous request has no aws:PrincipalIsAWSService: a Deny under `Bool` lets it pass, one under `BoolIfExists` does not.
#[test]
fn the_resource_control_policy_denies_anonymous_writes_under_another_key() {
    let policy = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::inbox/*" } ] }"#;
    let world = World::of(&two_members(
        &format!("{{ name = \"inbox\", encryption = \"sse_s3\", policy = '''{policy}''' }}"),
        "",
    ));
    let folder = rendered(&world);
    let rcp = std::fs::read_to_string(folder.join("guardrails/rcp-other-key.min.json")).unwrap();
    let sse_s3 = "x-amz-server-side-encryption: AES256\r\n";
    assert_eq!(anonymous_write(&world, "inbox", sse_s3), 200);
    let without_if_exists = rcp.replace("BoolIfExists", "Bool");
    assert_ne!(without_if_exists, rcp);
    world.sandbox.set_rcp("guardrail", &["root"], &without_if_exists).unwrap();
    assert_eq!(anonymous_write(&world, "inbox", sse_s3), 200, "it does not bind whoever is nobody");
    world.sandbox.set_rcp("guardrail", &["root"], &rcp).unwrap();
    assert_eq!(anonymous_write(&world, "inbox", sse_s3), 403);
    assert_eq!(anonymous_write(&world, "inbox", ""), 200, "a write that names no encryption gets the bucket's");
}

#[test]
fn the_seal_is_kept_from_all_but_the_documents_role() {
    let payments = r#"{ name = "letters", encryption = "sse_s3" }"#;
    let world = World::of(&two_members(payments, ""));
    let folder = rendered(&world);
    let keep = std::fs::read_to_string(folder.join("guardrails/scp-keep-seal.min.json")).unwrap();
    let read: Value = serde_json::from_str(&keep).unwrap();
    assert_eq!(read["Statement"][0]["Action"], "s3:PutEncryptionConfiguration");
    world.sandbox.set_scp("keep-seal", &["root"], &keep).unwrap();
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 0, "the document's role seals under it: {}", run.stderr);
    assert!(world.is_sealed(&world.bucket("letters")));
    // With other names in the campaign file, the role is another one, and is not let through.
    let other = keep.replace("orgseal-automation", "pipeline");
    world.sandbox.set_scp("keep-seal", &["root"], &other).unwrap();
    let run = world.run(&["rollback", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(world.is_sealed(&world.bucket("letters")));
}
