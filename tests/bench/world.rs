//! A sandbox and the binary pointed at it, with the child's CPU time told apart from the sandbox's.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orgseal_sandbox::{Options, Sandbox, Spec};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    folder: TempDir,
}

/// What a child took.
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl World {
    pub(crate) fn of(spec: &str, speed: f64) -> World {
        let spec = Spec::from_toml(spec, "bench spec").expect("the spec is good");
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let sandbox = runtime
            .block_on(Sandbox::start(spec, Options { directory: None, speed, port: 0 }))
            .expect("the sandbox starts");
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("campaign.toml"), sandbox.campaign_file())
            .expect("the campaign file is written");
        World { sandbox, folder }
    }

    /// Runs the binary and waits for it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Took {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgseal"));
        command
            .args(arguments)
            .args(["--config", self.folder.path().join("campaign.toml").to_str().expect("a plain path")])
            .args(["--state", self.folder.path().join("state").to_str().expect("a plain path")]);
        self.time(command)
    }

    /// Runs a command with this world's environment.
    pub(crate) fn time(&self, mut command: Command) -> Took {
        let (access_key, secret_key) = self.sandbox.credentials();
        command
            .env("AWS_ENDPOINT_URL", self.sandbox.endpoint())
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
            .env("AWS_REGION", self.sandbox.region())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (began, cpu) = (Instant::now(), children_cpu());
        let status = command.status().expect("the binary runs");
        assert_ne!(status.code(), Some(1), "the command itself failed");
        Took { wall: began.elapsed(), cpu: children_cpu() - cpu }
    }
}

/// User and system time of all children waited for so far, from `/proc/self/stat` (fields 16 and 17, in 1/100 s).
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks: u64 = after_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
