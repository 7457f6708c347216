//! The environment of the caller: profiles, credentials, proxies, CA bundles.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::world::{Run, World, binary, block_on, unbroken};

const SPEC: &str = "accounts = 3\nbuckets_per_account = 2\nsuspended = 0\nwithout_member_role = 0";

/// A proxy that refuses every connection, and remembers what it was asked for.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                seen.lock().unwrap().push(line.trim().to_owned());
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Proxy { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// An audit of AWS itself, with keys that belong to nobody.
fn audit_of_aws(world: &World) -> Command {
    let mut command = world.command(&["audit"]);
    command
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_REGION", "eu-west-1");
    command
}

/// Runs it without the variables by which a machine may replace its trust store.
fn output(mut command: Command) -> Run {
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").output().unwrap().into()
}

/// The failure of the command itself: its message and its help, unbroken.
fn failure(mut command: Command) -> String {
    command.arg("--json");
    let run = output(command);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let error = &document["errors"][0];
    format!("{} help: {}", error["message"].as_str().unwrap(), error["hint"].as_str().unwrap())
}

#[test]
fn a_proxy_is_used_and_named_when_the_connection_fails() {
    let (world, proxy) = (World::of(SPEC), Proxy::start());
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let mut command = audit_of_aws(&world);
        command.env(variable, format!("http://user:s3cret@{}", proxy.address));
        let said = failure(command);
        assert!(said.contains("sts:GetCallerIdentity failed"), "{said}");
        assert!(said.contains(&format!("proxy: http://{} ({variable})", proxy.address)), "{said}");
        assert!(said.contains("the proxy did not connect to the endpoint") && said.contains("NO_PROXY"), "{said}");
        assert!(!said.contains("s3cret") && !said.contains("user:"), "{said}");
    }
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "nothing went through the proxy");
    assert!(asked.iter().all(|line| line.starts_with("CONNECT sts.eu-west-1.amazonaws.com:443 ")), "{asked:?}");
}

#[test]
fn credential_providers_use_the_proxy_too() {
    let (world, proxy) = (World::of(SPEC), Proxy::start());
    let token = world.path("token");
    std::fs::write(&token, "a web identity token").unwrap();
    let mut command = audit_of_aws(&world);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/orgseal")
        .env("HTTPS_PROXY", &proxy.address);
    let said = failure(command);
    assert!(!proxy.asked().is_empty(), "AssumeRoleWithWebIdentity went past the proxy: {said}");
    assert!(said.contains("HTTPS_PROXY"), "{said}");
}

#[test]
fn loopback_and_the_sandbox_never_use_a_proxy() {
    let (world, proxy) = (World::of(SPEC), Proxy::start());
    let address = format!("http://{}", proxy.address);
    let variables = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, address.as_str()));
    let mut served = world.command(&["audit"]);
    served.envs(variables);
    let run = output(served);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let mut inside = binary(&world.path(""));
    // Not even a CA bundle that cannot be read concerns it.
    inside.args(["audit", "--sandbox", "--sandbox-speed", "50"]).envs(variables).env("AWS_CA_BUNDLE", "/no/such/file");
    let run = output(inside);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_without_its_value() {
    let world = World::of(SPEC);
    let mut command = audit_of_aws(&world);
    command.env("HTTPS_PROXY", "socks5://user:s3cret@127.0.0.1:1080");
    let said = failure(command);
    assert!(said.contains("HTTPS_PROXY") && said.contains("socks5"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_ca_bundle_that_cannot_be_read_is_an_error() {
    let world = World::of(SPEC);
    let empty = world.path("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for (bundle, why) in [("/no/such/bundle.pem", "No such file"), (empty.to_str().unwrap(), "no PEM certificate")] {
        let mut command = audit_of_aws(&world);
        command.env("AWS_CA_BUNDLE", bundle);
        let said = failure(command);
        assert!(said.contains("AWS_CA_BUNDLE") && said.contains(why), "{said}");
    }
    let config = world.path("aws-config");
    std::fs::write(&config, "[profile security]\nca_bundle = /no/such/profile.pem\n").unwrap();
    let mut command = audit_of_aws(&world);
    command.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", "security");
    let said = failure(command);
    assert!(said.contains("/no/such/profile.pem (ca_bundle of profile security)"), "{said}");
}

/// An https endpoint on loopback whose certificate a CA of its own signed: it answers GetCallerIdentity, and nothing else.
struct PrivateEndpoint {
    url: String,
    /// PEM of the CA.
    ca: String,
    answered: Arc<Mutex<usize>>,
}

impl PrivateEndpoint {
    fn start() -> PrivateEndpoint {
        let (ca, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let answered = Arc::new(Mutex::new(0));
        let (config, count) = (Arc::new(config), Arc::clone(&answered));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                // A client that does not trust the certificate closes the connection.
                if answer_once(rustls::StreamOwned::new(connection, stream.unwrap())).is_ok() {
                    *count.lock().unwrap() += 1;
                }
            }
        });
        PrivateEndpoint { url, ca, answered }
    }
}

fn certificates() -> (String, rustls::ServerConfig) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(params, ca_key);
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], private)
        .unwrap();
    (pem(ca.der()), config)
}

/// DER as PEM. `openssl` writes lines of 64 letters; readers take any length.
fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (number, chunk) in der.chunks(3).enumerate() {
        let bytes = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
        if number % 16 == 15 {
            text.push('\n');
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}

fn answer_once(mut stream: impl std::io::Read + Write) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"Version=2011-06-15") && !request.ends_with(b"{}") {
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => request.extend_from_slice(&chunk[..read]),
        }
    }
    let identity = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                    <Arn>arn:aws:iam::111122223333:user/x</Arn><UserId>AIDA</UserId><Account>111122223333</Account>\
                    </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let body = if request.ends_with(b"{}") { "{}" } else { identity };
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
    stream.flush()
}

#[test]
fn a_ca_bundle_replaces_the_trust_store() {
    let (world, endpoint) = (World::of(SPEC), PrivateEndpoint::start());
    let bundle = world.path("ca.pem");
    std::fs::write(&bundle, format!("# Example inspection CA\n{}", endpoint.ca)).unwrap();
    let config = world.path("aws-config");
    std::fs::write(&config, format!("[profile security]\nca_bundle = {}\n", bundle.display())).unwrap();
    let preflight = || {
        let mut command = world.command(&["preflight", "--json"]);
        command.env("AWS_ENDPOINT_URL", &endpoint.url);
        command
    };
    let audit = || {
        let mut command = world.command(&["audit"]);
        command.env("AWS_ENDPOINT_URL", &endpoint.url);
        command
    };
    let mut by_variable = preflight();
    by_variable.env("AWS_CA_BUNDLE", &bundle);
    let mut by_profile = preflight();
    by_profile.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", "security");
    for (command, setting) in [(by_variable, "AWS_CA_BUNDLE"), (by_profile, "ca_bundle of profile security")] {
        let before = *endpoint.answered.lock().unwrap();
        let run = output(command);
        assert!(*endpoint.answered.lock().unwrap() > before, "{setting}: {}", run.stderr);
        let said = format!("{} ({setting})", bundle.display());
        assert!(run.stdout.contains(&said), "{said}: {}{}", run.stdout, run.stderr);
    }
    // Without it the certificate is not trusted, and with another one neither.
    let said = failure(audit());
    assert!(said.contains("certificate") && said.contains("AWS_CA_BUNDLE"), "{said}");
    let other = world.path("other.pem");
    std::fs::write(&other, certificates().0).unwrap();
    let mut command = audit();
    command.env("AWS_CA_BUNDLE", &other);
    let said = failure(command);
    assert!(said.contains(&format!("trusted certificates: {} (AWS_CA_BUNDLE)", other.display())), "{said}");
}

#[test]
fn a_profile_that_does_not_exist_is_named() {
    let world = World::of(SPEC);
    let config = world.path("aws-config");
    std::fs::write(&config, "[profile audit]\nregion = us-east-1\n[profile security]\nregion = us-east-1\n").unwrap();
    let mut command = world.command(&["audit"]);
    command.env("AWS_PROFILE", "securty").env("AWS_CONFIG_FILE", &config);
    let said = failure(command);
    assert!(said.contains("AWS profile securty does not exist"), "{said}");
    assert!(said.contains("audit, security"), "{said}");
    let mut command = world.command(&["audit"]);
    std::fs::write(&config, "[profile security]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = gone\n")
        .unwrap();
    command.env("AWS_PROFILE", "security").env("AWS_CONFIG_FILE", &config);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let said = failure(command);
    assert!(said.contains("AWS profile gone does not exist"), "{said}");
    assert!(said.contains("check source_profile of profile security"), "{said}");
}

#[test]
fn no_credentials_are_said_in_one_sentence_with_two_fixes() {
    let world = World::of(SPEC);
    let mut command = world.command(&["audit"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let said = failure(command);
    assert!(said.contains("sts:GetCallerIdentity failed: no AWS credentials were found"), "{said}");
    assert!(said.contains("AWS_PROFILE") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    assert!(!said.contains("resume") && !said.contains("provider"), "{said}");
}

/// A session of the security account's role `orgseal`: access key, secret, token.
fn role_session(world: &World) -> (String, String, String) {
    let (access_key, secret) = world.sandbox.credentials();
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::new("us-east-1"))
        .endpoint_url(world.sandbox.endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(aws_sdk_sts::config::Credentials::new(access_key, secret, None, None, "test"))
        .build();
    let arn = format!("arn:aws:iam::{}:role/orgseal", world.sandbox.security_account());
    let request = aws_sdk_sts::Client::from_conf(config).assume_role().role_arn(arn).role_session_name("somebody");
    let session = block_on(request.send()).unwrap().credentials.unwrap();
    (session.access_key_id, session.secret_access_key, session.session_token)
}

#[test]
fn an_aws_login_profile_gives_credentials() {
    let world = World::of(SPEC);
    let (access_key, secret, token) = role_session(&world);
    let arn = "arn:aws:iam::111122223333:user/admin";
    let config = world.path("aws-config");
    std::fs::write(&config, format!("[profile console]\nlogin_session = {arn}\n")).unwrap();
    let cache = world.path("login-cache");
    std::fs::create_dir(&cache).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(arn.as_bytes());
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let session = serde_json::json!({
        "accessToken": {
            "accessKeyId": access_key, "secretAccessKey": secret, "sessionToken": token,
            "accountId": world.sandbox.security_account(), "expiresAt": "2099-01-01T00:00:00Z",
        },
        "tokenType": "aws_sigv4", "refreshToken": "opaque", "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": "unused before the token expires",
    });
    let signed_in = || {
        let mut command = world.command(&["preflight", "--json"]);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_PROFILE", "console")
            .env("AWS_LOGIN_CACHE_DIRECTORY", &cache);
        output(command)
    };
    let before = signed_in();
    assert_eq!(before.code, 1, "{}", before.stderr);
    assert!(before.stdout.contains("aws login"), "{}", before.stdout);
    let cached = cache.join(format!("{name}.json"));
    assert!(before.stdout.contains(cached.to_str().unwrap()), "the file that is missing: {}", before.stdout);
    std::fs::write(&cached, session.to_string()).unwrap();
    let run = signed_in();
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let checks = document["checks"].as_array().unwrap();
    let environment = checks.iter().find(|check| check["kind"] == "environment").unwrap();
    assert_eq!(environment["facts"]["credentials"], "a console session (aws login)", "{environment:#}");
    assert_eq!(environment["facts"]["profile"], "console");
    assert!(document["caller"].as_str().unwrap().contains("assumed-role/orgseal"), "{}", document["caller"]);
}

#[test]
fn a_chained_role_asks_for_an_hour_once_it_is_refused_more() {
    let world = World::of(&format!("{SPEC}\n[member_role]\nmax_session_seconds = 43200"));
    let (access_key, secret, token) = role_session(&world);
    world.sandbox.reset_counters();
    let mut command =
        world.command(&["audit", "--set", "member_role.session_duration=7200", "--set", "limits.accounts=1"]);
    command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token);
    let run = output(command);
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    // One refusal for all three accounts.
    assert_eq!(world.sandbox.counters().totals("sts", "AssumeRole"), 3 + 1);
}

#[test]
fn a_preflight_says_how_aws_is_reached() {
    let world = World::of(SPEC);
    let run = output(world.command(&["preflight"]));
    let said = unbroken(&run.stdout);
    assert!(said.contains("credentials from environment variables, no proxy, the machine's trusted CAs"), "{said}");
    assert_eq!(said.matches(world.sandbox.endpoint()).count(), 1, "{said}");
}
