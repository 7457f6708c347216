//! A sandbox on a socket of its own, and the binary pointed at it as any AWS tool would be.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use orgseal_sandbox::{BucketEncryption, BucketState, Options, Sandbox, Spec};
use serde_json::Value;
use tempfile::TempDir;

/// An organization, a campaign file for it, and a state folder.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    folder: TempDir,
}

/// What the binary did.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A world of this spec (TOML), without waits.
    pub(crate) fn of(spec: &str) -> World {
        World::at_speed(spec, 0.0)
    }

    /// A world of this spec, so many times faster than AWS; 0 is without waits.
    pub(crate) fn at_speed(spec: &str, speed: f64) -> World {
        let spec = Spec::from_toml(spec, "test spec").unwrap();
        let options = Options { directory: None, speed, port: 0 };
        let sandbox = block_on(Sandbox::start(spec, options)).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("campaign.toml"), sandbox.campaign_file()).unwrap();
        World { sandbox, folder }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn campaign_file(&self) -> PathBuf {
        self.folder.path().join("campaign.toml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes the campaign file's text.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.campaign_file()).unwrap();
        std::fs::write(self.campaign_file(), change(text)).unwrap();
    }

    /// The binary, pointed at this world.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_with(&self.state(), arguments)
    }

    /// The same with another state folder.
    pub(crate) fn command_with(&self, state: &Path, arguments: &[&str]) -> Command {
        let (access_key, secret_key) = self.sandbox.credentials();
        let mut command = binary(self.folder.path());
        command
            .args(arguments)
            .args(["--config", self.campaign_file().to_str().unwrap()])
            .args(["--state", state.to_str().unwrap()])
            .env("AWS_ENDPOINT_URL", self.sandbox.endpoint())
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
            .env("AWS_REGION", self.sandbox.region());
        command
    }

    /// The same with the management account's credentials.
    pub(crate) fn as_management(&self, arguments: &[&str]) -> Run {
        let (access_key, secret_key) = self.sandbox.management_credentials();
        let mut command = self.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
        command.output().unwrap().into()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs with `--json` and reads the document.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.run(&[arguments, &["--json"]].concat());
        let document = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", run.stdout, run.stderr));
        (run.code, document)
    }

    pub(crate) fn bucket(&self, name: &str) -> BucketState {
        self.sandbox.buckets().into_iter().find(|bucket| bucket.name == name).unwrap()
    }

    /// S3 as anybody's: with these credentials (access key, secret, session token).
    pub(crate) fn s3(&self, region: &str, credentials: (String, String, Option<String>)) -> aws_sdk_s3::Client {
        let (access_key, secret, token) = credentials;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(region.to_owned()))
            .endpoint_url(self.sandbox.endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(aws_sdk_s3::config::Credentials::new(access_key, secret, token, None, "test"))
            .force_path_style(true)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// A session of a role in a member account, as the management account's administrator: access key, secret, token.
    pub(crate) fn assume(&self, account: &str, role: &str) -> (String, String, Option<String>) {
        let (access_key, secret) = self.sandbox.management_credentials();
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
            .region(aws_sdk_sts::config::Region::new(self.sandbox.region().to_owned()))
            .endpoint_url(self.sandbox.endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(aws_sdk_sts::config::Credentials::new(access_key, secret, None, None, "test"))
            .build();
        let arn = format!("arn:{}:iam::{account}:role/{role}", self.sandbox.partition());
        let request = aws_sdk_sts::Client::from_conf(config).assume_role().role_arn(arn).role_session_name("somebody");
        let session = block_on(request.send()).unwrap().credentials.unwrap();
        (session.access_key_id, session.secret_access_key, Some(session.session_token))
    }

    /// Somebody makes a managed policy in a member account and attaches it to a role: its ARN.
    pub(crate) fn attach_policy(&self, account: &str, role: &str, name: &str, document: &str) -> String {
        let (access_key, secret, token) = self.assume(account, "OrganizationAccountAccessRole");
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(aws_sdk_iam::config::BehaviorVersion::latest())
            .region(aws_sdk_iam::config::Region::new(self.sandbox.partition().global_region("iam").unwrap()))
            .endpoint_url(self.sandbox.endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(aws_sdk_iam::config::Credentials::new(access_key, secret, token, None, "test"))
            .build();
        let iam = aws_sdk_iam::Client::from_conf(config);
        let made = block_on(iam.create_policy().policy_name(name).policy_document(document).send()).unwrap();
        let arn = made.policy.unwrap().arn.unwrap();
        block_on(iam.attach_role_policy().role_name(role).policy_arn(&arn).send()).unwrap();
        arn
    }

    /// Gives a key of the security account an alias.
    pub(crate) fn kms_alias(&self, region: &str, key: &str, alias: &str) {
        let client = self.kms(region);
        block_on(client.create_alias().alias_name(alias).target_key_id(key).send()).unwrap();
    }

    /// Somebody puts a bucket on SSE-S3, by S3's own API.
    pub(crate) async fn unseal(
        &self,
        bucket: &BucketState,
        credentials: (String, String, Option<String>),
    ) -> Result<(), String> {
        use aws_sdk_s3::types::{
            ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
            ServerSideEncryptionRule,
        };
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let rule =
            ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.unwrap()).build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
        let s3 = self.s3(&bucket.region, credentials);
        let request = s3.put_bucket_encryption().bucket(&bucket.name).server_side_encryption_configuration(rules);
        request.send().await.map(drop).map_err(|error| format!("{:?}", error.into_service_error()))
    }

    /// KMS as the security account's user.
    fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        let (access_key, secret) = self.sandbox.credentials();
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
            .region(aws_sdk_kms::config::Region::new(region.to_owned()))
            .endpoint_url(self.sandbox.endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(aws_sdk_kms::config::Credentials::new(access_key, secret, None, None, "test"))
            .build();
        aws_sdk_kms::Client::from_conf(config)
    }

    /// A key in the security account, beside the central ones.
    pub(crate) fn create_key(&self, region: &str) -> String {
        let created = block_on(self.kms(region).create_key().send()).unwrap();
        created.key_metadata().unwrap().arn().unwrap().to_owned()
    }

    /// The record, entry by entry.
    pub(crate) fn entries(&self) -> Vec<Value> {
        let run = self.run(&["ledger", "export"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The central key of a Region, from the campaign file.
    pub(crate) fn key(&self, region: &str) -> String {
        let text = std::fs::read_to_string(self.campaign_file()).unwrap();
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{region} "))).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    }

    /// Whether S3 shows the central key, with a Bucket Key where SSE-KMS has one.
    pub(crate) fn is_sealed(&self, bucket: &BucketState) -> bool {
        bucket.encryption.as_ref().is_some_and(|encryption| {
            encryption.key == Some(self.key(&bucket.region))
                && (encryption.algorithm == "aws:kms:dsse"
                    || (encryption.algorithm == "aws:kms" && encryption.bucket_key))
        })
    }
}

/// The binary with nothing of this machine's AWS configuration.
pub(crate) fn binary(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgseal"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("ORGSEAL_")) {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("xdg-state"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("CI")
        .current_dir(home)
        .stdin(std::process::Stdio::null());
    command
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many executions the sandbox has, once the requests that a killed process had sent have arrived.
pub(crate) fn settled_executions(world: &World) -> usize {
    let (mut count, mut since) = (world.sandbox.executions().len(), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        std::thread::sleep(Duration::from_millis(20));
        let now = world.sandbox.executions().len();
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    count
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The findings of a document, by bucket name.
pub(crate) fn finding<'a>(document: &'a Value, bucket: &str) -> &'a Value {
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["bucket"] == bucket)
        .unwrap_or_else(|| panic!("no finding for {bucket} in {document:#}"))
}

/// SSE-S3 as S3 returns it since April 2026 for a bucket that does not block SSE-C.
pub(crate) fn sse_s3() -> Option<BucketEncryption> {
    Some(BucketEncryption { algorithm: "AES256".into(), key: None, bucket_key: false, blocked: vec!["NONE".into()] })
}

/// A small organization of two members with the given buckets (TOML lines of `[[account.buckets]]` fields).
pub(crate) fn two_members(payments: &str, analytics: &str) -> String {
    format!(
        r#"
accounts = 4
buckets_per_account = 0
suspended = 0
without_member_role = 0
[[account]]
name = "payments"
id = "555555555551"
buckets = [{payments}]
[[account]]
name = "analytics"
id = "555555555552"
buckets = [{analytics}]
"#
    )
}

/// Running text as one line, however it was broken.
pub(crate) fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
