//! Requests over the sandbox's real socket, with nothing between the test and the bytes.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Keys;
use super::signing::Signing;
use crate::Sandbox;

/// An answer as it came off the socket.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Received {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn has_request_id(&self) -> bool {
        self.head.contains("x-amzn-requestid: ") || self.head.contains("x-amz-request-id: ")
    }

    /// The announced length.
    pub(super) fn length(&self) -> usize {
        let line = self.head.lines().find_map(|line| line.strip_prefix("content-length: "));
        line.map_or(0, |text| text.trim().parse().unwrap())
    }
}

impl Sandbox {
    /// Sends bytes as they are and reads until the other side closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let address = self.endpoint().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(bytes).await?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        Ok(all)
    }

    pub(super) async fn over(
        &self,
        keys: &Keys,
        scope: &str,
        (method, uri): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Received> {
        let mut head = format!(
            "{method} {uri} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        let signing = Signing { keys, secret: &self.secret(keys), scope, host: "127.0.0.1" };
        for (name, value) in signing.headers(method, uri, headers, body).iter().filter(|(name, _)| *name != "host") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with("x-amz-")) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let all = self.raw(&[head.as_bytes(), body].concat()).await?;
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(|| io::Error::other("no answer"))?;
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap();
        Ok(Received { status, head, body: all[end + 4..].to_vec() })
    }

    pub(super) async fn get_encryption(&self, keys: &Keys, bucket: &str) -> io::Result<Received> {
        self.over(keys, "us-east-1/s3", ("GET", &format!("/{bucket}?encryption")), &[], b"").await
    }

    pub(super) async fn over_json(&self, keys: &Keys, operation: &str, input: Value) -> io::Result<Received> {
        let (service, target) = match operation {
            "DescribeKey" => ("kms", "TrentService"),
            "ListAccounts" => ("organizations", "AWSOrganizationsV20161128"),
            "LookupEvents" => ("cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
            _ => ("ssm", "AmazonSSM"),
        };
        let scope = format!("us-east-1/{service}");
        let target = format!("{target}.{operation}");
        self.over(keys, &scope, ("POST", "/"), &[("x-amz-target", &target)], input.to_string().as_bytes()).await
    }

    pub(super) async fn control(&self, method: &str, what: &str, body: Value) -> Received {
        let nobody = Keys { access_key: "-".into(), token: None };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.over(&nobody, "-/-", (method, &format!("/_sandbox/{what}")), &[], body.as_bytes()).await.unwrap()
    }

    /// Orders faults on the control path, as someone outside would.
    pub(super) async fn order(&self, faults: Value) {
        let answer = self.control("PUT", "faults", json!({ "faults": faults })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Starts the shipped document for a bucket and waits for its end.
    pub(super) async fn seal_over(&self, keys: &Keys, account: &str, bucket: &str) -> Value {
        let id = self.start_over(keys, account, bucket).await;
        for _ in 0..1000 {
            let execution = self.execution_over(keys, &id).await;
            let status = execution["AutomationExecutionStatus"].as_str().unwrap();
            if !["Pending", "InProgress", "Waiting", "Cancelling"].contains(&status) {
                return execution;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("execution {id} does not end");
    }

    pub(super) async fn start_over(&self, keys: &Keys, account: &str, bucket: &str) -> String {
        let parameters = super::seal(self, account, 0, bucket);
        let input = json!({ "DocumentName": "EnableS3BucketEncryptionWithKMS", "Parameters": parameters });
        let answer = self.over_json(keys, "StartAutomationExecution", input).await.unwrap();
        answer.json()["AutomationExecutionId"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_string()
    }

    pub(super) async fn execution_over(&self, keys: &Keys, id: &str) -> Value {
        let input = json!({ "AutomationExecutionId": id });
        self.over_json(keys, "GetAutomationExecution", input).await.unwrap().json()["AutomationExecution"].clone()
    }
}
