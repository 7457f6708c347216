//! Measures how many simple requests a second a sandbox answers, the client's share of the processor told apart, and what
//! a large organization takes of memory: `load [--connections N] [--seconds S] [--accounts N] [--buckets N] [--touch] [--audit]`.
//! `--touch` makes every bucket first, `--audit` asks for each one's encryption as a session of its account.
//! The client writes requests that were made beforehand and reads no more of the answers than it must.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orgseal_sandbox::{BucketCount, Options, Sandbox, Spec};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Processor time in seconds of this process's threads, by whether their name is the sandbox's.
fn processor_time() -> std::io::Result<(f64, f64)> {
    let (mut sandbox, mut others) = (0.0, 0.0);
    for task in std::fs::read_dir("/proc/self/task")? {
        let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else { continue };
        let Some((head, fields)) = stat.rsplit_once(") ") else { continue };
        // utime and stime are fields 14 and 15, in ticks of 10 ms; what is left here begins with field 3.
        let ticks: f64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        match head.ends_with("(sandbox") {
            true => sandbox += ticks / 100.0,
            false => others += ticks / 100.0,
        }
    }
    Ok((sandbox, others))
}

/// Resident memory in MiB.
fn memory() -> std::io::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    Ok(line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0)
}

struct Plan {
    address: String,
    requests: Vec<Vec<u8>>,
    stop: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
}

/// Who signs.
#[derive(Clone)]
struct Keys {
    access_key: String,
    secret: String,
    /// Of a session.
    token: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

impl Keys {
    /// A request with Signature Version 4. `query` has one parameter at most, and nothing in it needs to be encoded.
    fn request(&self, method: &str, (path, query): (&str, &str), scope: &str, further: &str, body: &str) -> Vec<u8> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = &now[..8];
        let payload = hex(&Sha256::digest(body));
        let mut headers = vec![
            ("host", "127.0.0.1".to_string()),
            ("x-amz-content-sha256", payload.clone()),
            ("x-amz-date", now.clone()),
        ];
        headers.extend(self.token.iter().map(|token| ("x-amz-security-token", token.clone())));
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical_query = if query.is_empty() || query.contains('=') { query.into() } else { format!("{query}=") };
        let canonical = format!("{method}\n{path}\n{canonical_query}\n{lines}\n{names}\n{payload}");
        let scope = format!("{day}/{scope}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = scope.split('/').fold(first, |key, part| hmac(&key, part));
        let signature = hex(&hmac(&key, &to_sign));
        let mark = if query.is_empty() { "" } else { "?" };
        let sent: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{method} {path}{mark}{query} HTTP/1.1\r\n{sent}{further}user-agent: load\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            self.access_key,
            body.len()
        )
        .into_bytes()
    }
}

/// One request and the whole of its answer, which begins at the buffer's start.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<usize> {
    stream.write_all(request).await?;
    let mut filled = 0;
    let mut whole = None;
    while whole.is_none_or(|whole| filled < whole) {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if whole.is_none()
            && let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&buffer[..end]);
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole = Some(end + 4 + length.and_then(|text| text.parse().ok()).unwrap_or(0));
        }
    }
    Ok(filled)
}

async fn connection(plan: Arc<Plan>, first: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&plan.address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 16];
    let mut nth = first;
    while !plan.stop.load(Ordering::Relaxed) {
        exchange(&mut stream, &plan.requests[nth % plan.requests.len()], &mut buffer).await?;
        nth += 1;
        plan.done.fetch_add(1, Ordering::Relaxed);
        if !buffer.starts_with(b"HTTP/1.1 200") {
            plan.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The security account's user.
fn security(sandbox: &Sandbox) -> Keys {
    let (access_key, secret) = sandbox.credentials();
    Keys { access_key, secret, token: None }
}

/// Enters every account that can be entered and asks for the encryption of each of its buckets, as an audit does.
async fn audit(
    out: &mut impl std::io::Write,
    sandbox: &Sandbox,
    connections: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let accounts: Vec<String> = sandbox.accounts().into_iter().map(|account| account.id).collect();
    let keys = security(sandbox);
    let address = sandbox.endpoint().trim_start_matches("http://").to_string();
    let (before, began) = (processor_time()?, Instant::now());
    let facts = Arc::new((accounts, AtomicUsize::new(0), sandbox.external_id().to_string()));
    let walks: Vec<_> =
        (0..connections).map(|_| tokio::spawn(walk(address.clone(), keys.clone(), facts.clone()))).collect();
    let mut done = 0;
    for walk in walks {
        done += walk.await??;
    }
    let (elapsed, after) = (began.elapsed().as_secs_f64(), processor_time()?);
    writeln!(
        out,
        "audit of every account    {:>7.0}/s  sandbox {:>5.1} us, client {:>5.1} us a request; {done} requests; {:.0} MiB",
        done as f64 / elapsed,
        (after.0 - before.0) / done as f64 * 1e6,
        (after.1 - before.1) / done as f64 * 1e6,
        memory()?
    )?;
    Ok(())
}

type Facts = Arc<(Vec<String>, AtomicUsize, String)>;

/// Takes one account after the other until none is left.
async fn walk(address: String, keys: Keys, facts: Facts) -> std::io::Result<u64> {
    let (accounts, next, external_id) = &*facts;
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    while let Some(id) = accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{id}%3Arole%2Forgseal-member\
             &RoleSessionName=load&ExternalId={external_id}"
        );
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        let assume = keys.request("POST", ("/", ""), "us-east-1/sts", kind, &form);
        let filled = exchange(&mut stream, &assume, &mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
        let part = |name: &str| Some(text.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.to_string());
        let (Some(access_key), Some(secret)) = (part("AccessKeyId"), part("SecretAccessKey")) else { continue };
        let session = Keys { access_key, secret, token: part("SessionToken") };
        let list = session.request("GET", ("/", "max-buckets=10000"), "us-east-1/s3", "", "");
        let filled = exchange(&mut stream, &list, &mut buffer).await?;
        done += 2;
        let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
        let named = text.split("<Name>").skip(1).filter_map(|rest| {
            let (name, rest) = rest.split_once("</Name>")?;
            Some((name, rest.split_once("<BucketRegion>")?.1.split_once('<')?.0))
        });
        for (name, region) in named {
            let get = session.request("GET", (&format!("/{name}"), "encryption"), &format!("{region}/s3"), "", "");
            exchange(&mut stream, &get, &mut buffer).await?;
            done += 1;
        }
    }
    Ok(done)
}

/// One row of the table: these requests, over so many connections, for so long.
async fn measure(
    out: &mut impl std::io::Write,
    sandbox: &Sandbox,
    name: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    seconds: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let plan = Arc::new(Plan {
        address: sandbox.endpoint().trim_start_matches("http://").into(),
        requests,
        stop: AtomicBool::new(false),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let before = processor_time()?;
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections).map(|nth| tokio::spawn(connection(plan.clone(), nth * 7919))).collect();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    plan.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let after = processor_time()?;
    let done = plan.done.load(Ordering::Relaxed) as f64;
    let (server, client) = (after.0 - before.0, after.1 - before.1);
    writeln!(
        out,
        "{name:<24} {:>7.0}/s  sandbox {:>5.1} us, client {:>5.1} us a request; {} not 200; {:.0} MiB",
        done / elapsed,
        server / done * 1e6,
        client / done * 1e6,
        plan.failed.load(Ordering::Relaxed),
        memory()?
    )?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut connections, mut seconds, mut accounts, mut buckets) = (32usize, 3.0f64, 200u32, 100u32);
    let (mut touch, mut audited) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--connections" => connections = value()?.parse()?,
            "--seconds" => seconds = value()?.parse()?,
            "--accounts" => accounts = value()?.parse()?,
            "--buckets" => buckets = value()?.parse()?,
            "--touch" => touch = true,
            "--audit" => audited = true,
            other => return Err(format!("{other} is not known").into()),
        }
    }
    let spec = Spec { accounts, buckets_per_account: BucketCount::Fixed(buckets), ..Spec::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut out = std::io::stdout().lock();
        let sandbox = Sandbox::start(spec, Options { speed: 0.0, ..Options::default() }).await?;
        writeln!(out, "{accounts} accounts, {:.0} MiB at the start", memory()?)?;
        let keys = security(&sandbox);
        let mine = sandbox.security_account().to_string();
        if touch {
            let began = Instant::now();
            let all: usize = sandbox.accounts().iter().map(|account| sandbox.buckets_of(&account.id).len()).sum();
            writeln!(out, "{all} buckets made in {:.1} s, {:.0} MiB", began.elapsed().as_secs_f64(), memory()?)?;
        }
        if audited {
            audit(&mut out, &sandbox, connections).await?;
        }
        let list = keys.request("GET", ("/", "max-buckets=10"), "us-east-1/s3", "", "");
        let names: Vec<String> = sandbox
            .buckets_of(&mine)
            .into_iter()
            .filter(|bucket| bucket.region == "us-east-1" && bucket.encryption.is_some())
            .map(|bucket| bucket.name)
            .collect();
        let identity = "Action=GetCallerIdentity&Version=2011-06-15";
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let json =
            "content-type: application/x-amz-json-1.1\r\nx-amz-target: AmazonSSM.DescribeAutomationExecutions\r\n";
        let rows = [
            (
                "GetBucketEncryption",
                names
                    .iter()
                    .map(|name| keys.request("GET", (&format!("/{name}"), "encryption"), "us-east-1/s3", "", ""))
                    .collect(),
            ),
            ("ListBuckets, ten", vec![list]),
            ("GetCallerIdentity", vec![keys.request("POST", ("/", ""), "us-east-1/sts", form, identity)]),
            ("DescribeAutomationExec.", vec![keys.request("POST", ("/", ""), "us-east-1/ssm", json, "{}")]),
        ];
        for (name, requests) in rows {
            if !requests.is_empty() {
                measure(&mut out, &sandbox, name, requests, connections, seconds).await?;
            }
        }
        Ok(())
    })
}
