//! Measures how many simple requests a second a sandbox answers, the client's share of the processor told apart, and what
//! a large organization takes of memory: `load [--connections N] [--seconds S] [--accounts N] [--buckets N] [--touch] [--audit]`.
//! `--touch` makes every bucket first, `--audit` asks for each one's encryption as a session of its account.
//! The client writes requests that were made beforehand and reads no more of the answers than it must.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orgseal_sandbox::{BucketCount, Options, Sandbox, Spec};
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

fn signed(method: &str, uri: &str, key: &str, scope: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {uri} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: load\r\nx-amz-date: 20261125T000000Z\r\nauthorization: \
         AWS4-HMAC-SHA256 Credential={key}/20261125/{scope}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
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

/// Enters every account that can be entered and asks for the encryption of each of its buckets, as an audit does.
async fn audit(
    out: &mut impl std::io::Write,
    sandbox: &Sandbox,
    connections: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let accounts: Vec<String> = sandbox.accounts().into_iter().map(|account| account.id).collect();
    let (key, _) = sandbox.credentials();
    let address = sandbox.endpoint().trim_start_matches("http://").to_string();
    let (before, began) = (processor_time()?, Instant::now());
    let facts = Arc::new((accounts, AtomicUsize::new(0), sandbox.external_id().to_string()));
    let walks: Vec<_> =
        (0..connections).map(|_| tokio::spawn(walk(address.clone(), key.clone(), facts.clone()))).collect();
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
async fn walk(address: String, key: String, facts: Facts) -> std::io::Result<u64> {
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
        let assume = signed("POST", "/", &key, "us-east-1/sts", kind, &form);
        let filled = exchange(&mut stream, &assume, &mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
        let part = |name: &str| Some(text.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.to_string());
        let (Some(access), Some(token)) = (part("AccessKeyId"), part("SessionToken")) else { continue };
        let token = format!("x-amz-security-token: {token}\r\n");
        let list = signed("GET", "/?max-buckets=10000", &access, "us-east-1/s3", &token, "");
        let filled = exchange(&mut stream, &list, &mut buffer).await?;
        done += 2;
        let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
        let named = text.split("<Name>").skip(1).filter_map(|rest| {
            let (name, rest) = rest.split_once("</Name>")?;
            Some((name, rest.split_once("<BucketRegion>")?.1.split_once('<')?.0))
        });
        for (name, region) in named {
            let get = signed("GET", &format!("/{name}?encryption"), &access, &format!("{region}/s3"), &token, "");
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
        let (key, _) = sandbox.credentials();
        let mine = sandbox.security_account().to_string();
        if touch {
            let began = Instant::now();
            let all: usize = sandbox.accounts().iter().map(|account| sandbox.buckets_of(&account.id).len()).sum();
            writeln!(out, "{all} buckets made in {:.1} s, {:.0} MiB", began.elapsed().as_secs_f64(), memory()?)?;
        }
        if audited {
            audit(&mut out, &sandbox, connections).await?;
        }
        let list = signed("GET", "/?max-buckets=10", &key, "us-east-1/s3", "", "");
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
                    .map(|name| signed("GET", &format!("/{name}?encryption"), &key, "us-east-1/s3", "", ""))
                    .collect(),
            ),
            ("ListBuckets, ten", vec![list]),
            ("GetCallerIdentity", vec![signed("POST", "/", &key, "us-east-1/sts", form, identity)]),
            ("DescribeAutomationExec.", vec![signed("POST", "/", &key, "us-east-1/ssm", json, "{}")]),
        ];
        for (name, requests) in rows {
            if !requests.is_empty() {
                measure(&mut out, &sandbox, name, requests, connections, seconds).await?;
            }
        }
        Ok(())
    })
}
