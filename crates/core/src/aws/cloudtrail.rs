//! AWS CloudTrail: who was denied the central key since a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::Member;
use super::error::{aws_error, hint};
use crate::judge::{KeyDenial, key_denial};
use crate::model::{AwsError, KeyArn};

const OPERATION: &str = "LookupEvents";
/// LookupEvents takes at most so many for a page [model].
const EVENTS_A_PAGE: i32 = 50;
/// LookupEvents is limited to two requests a second for an account and Region [model], shared with everybody in it.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(500);
/// Ten minutes of pages. Only one attribute may be asked for, so the pages hold every KMS event, and a busy Region has more
/// of them than can ever be read at two requests a second.
const MOST_PAGES: usize = 1200;
/// Pages that are read to learn who calls an operation: a minute of them.
const PAGES_OF_CALLERS: usize = 100;
/// More denials than this say nothing new: whoever reads them stops.
const ENOUGH: usize = 1000;

/// When the next request of an account and Region may leave.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval(Arc<Mutex<Option<Instant>>>);

impl Interval {
    /// Waits for one's turn. The turn lasts until the guard is dropped; the next one begins some time after.
    async fn turn(&self) -> Turn<'_> {
        let next = self.0.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        Turn(next)
    }
}

struct Turn<'a>(MutexGuard<'a, Option<Instant>>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // From the answer, not from the request: the SDK may have sent it more than once.
        *self.0 = Some(Instant::now() + BETWEEN_REQUESTS);
    }
}

impl Member {
    /// Denied uses of a key in a Region of this account since a moment, oldest first: `LookupEvents`.
    ///
    /// An event shows in CloudTrail some minutes after it happened, so an empty answer speaks of the past only. Of more than
    /// a thousand denials the newest are given.
    ///
    /// # Errors
    ///
    /// What CloudTrail answered; `Unreadable` for an event that cannot be judged; `TooManyEvents` where the account has more
    /// KMS events than can be read in ten minutes and none of those read was a denial: an empty list means that all were read.
    pub async fn kms_denials(&self, region: &str, key: &KeyArn, since: Timestamp) -> Result<Vec<KeyDenial>, AwsError> {
        self.kms_denials_within(region, key, since, MOST_PAGES).await
    }

    /// Whether CloudTrail answers in a Region of this account: `LookupEvents`, for one event.
    ///
    /// # Errors
    ///
    /// What CloudTrail answered.
    pub async fn may_look_up_events(&self, region: &str) -> Result<(), AwsError> {
        let (client, calls, interval) = self.cloudtrail(region);
        let _turn = interval.turn().await;
        let _permit = calls.enter().await;
        let looked = client.lookup_events().max_results(1).send().await;
        looked.map(drop).map_err(|error| calls.heed(aws_error(OPERATION, &error)))
    }

    /// Who called an operation in a Region of this account since a moment, as often as CloudTrail knows: `LookupEvents` by the
    /// operation's name. A session counts for its role. The second value says whether there is more than was read.
    ///
    /// # Errors
    ///
    /// What CloudTrail answered.
    pub async fn who_called(
        &self,
        region: &str,
        operation: &str,
        since: Timestamp,
    ) -> Result<(BTreeMap<String, u64>, bool), AwsError> {
        let (client, calls, interval) = self.cloudtrail(region);
        let name = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(operation)
            .build()
            .map_err(|error| failed("RequestFailed", &error.to_string()))?;
        let since = aws_smithy_types::DateTime::from_secs(since.as_second());
        let asked = client.lookup_events().lookup_attributes(name).start_time(since).max_results(EVENTS_A_PAGE);
        let mut pages = asked.into_paginator().send();
        let mut found = BTreeMap::new();
        for _ in 0..PAGES_OF_CALLERS {
            let page = {
                let _turn = interval.turn().await;
                let _permit = calls.enter().await;
                pages.next().await
            };
            let Some(page) = page else { return Ok((found, false)) };
            let page = page.map_err(|error| calls.heed(aws_error(OPERATION, &error)))?;
            for event in page.events() {
                *found.entry(caller_of(event.cloud_trail_event().unwrap_or_default())).or_default() += 1;
            }
            if page.next_token().is_none() {
                return Ok((found, false));
            }
        }
        Ok((found, true))
    }

    async fn kms_denials_within(
        &self,
        region: &str,
        key: &KeyArn,
        since: Timestamp,
        most_pages: usize,
    ) -> Result<Vec<KeyDenial>, AwsError> {
        let (client, calls, interval) = self.cloudtrail(region);
        let source = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventSource)
            .attribute_value("kms.amazonaws.com")
            .build()
            .map_err(|error| failed("RequestFailed", &error.to_string()))?;
        // Events are dated in whole seconds.
        let since = aws_smithy_types::DateTime::from_secs(since.as_second());
        let asked = client.lookup_events().lookup_attributes(source).start_time(since).max_results(EVENTS_A_PAGE);
        let mut pages = asked.into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..most_pages {
            let page = {
                let _turn = interval.turn().await;
                let _permit = calls.enter().await;
                pages.next().await
            };
            let Some(page) = page else {
                found.reverse();
                return Ok(found);
            };
            let page = page.map_err(|error| calls.heed(aws_error(OPERATION, &error)))?;
            for event in page.events() {
                let record = event.cloud_trail_event().unwrap_or_default();
                let id = event.event_id().unwrap_or("without an id");
                let judged =
                    key_denial(record, key).map_err(|error| failed("Unreadable", &format!("event {id}: {error}")))?;
                found.extend(judged);
            }
            if page.next_token().is_none() || found.len() >= ENOUGH {
                found.reverse();
                return Ok(found);
            }
        }
        if found.is_empty() {
            let pages = format!("no denial on {most_pages} pages of KMS events, and there are more");
            return Err(failed("TooManyEvents", &pages));
        }
        found.reverse();
        Ok(found)
    }
}

/// Whoever made a call, by the record of it: a session's role, else the principal's own ARN, else the service.
fn caller_of(record: &str) -> String {
    let tree: serde_json::Value = serde_json::from_str(record).unwrap_or_default();
    let identity = &tree["userIdentity"];
    let role = &identity["sessionContext"]["sessionIssuer"]["arn"];
    let text = [role, &identity["arn"], &identity["invokedBy"]].into_iter().find_map(serde_json::Value::as_str);
    text.unwrap_or("somebody whom the record does not name").to_owned()
}

fn failed(code: &str, message: &str) -> AwsError {
    AwsError {
        code: code.to_owned(),
        message: format!("{OPERATION}: {message}"),
        hint: hint(OPERATION, code, message).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::CallLimits;
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Answers each request with the next of these, and tells what was asked and when.
    async fn served(answers: Vec<(u16, Value)>) -> (Member, tokio::task::JoinHandle<Vec<(Instant, Value)>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = body_of(&mut stream).await.unwrap();
                asked.push((Instant::now(), request));
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
            asked
        });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKID", "secret", None, None, "test",
            )))
            .build();
        (Member::for_test(&config, "444455556666", CallLimits { s3: 1, ssm: 1 }), server)
    }

    async fn body_of(stream: &mut TcpStream) -> io::Result<Value> {
        let mut read = Vec::new();
        loop {
            stream.read_buf(&mut read).await?;
            let text = String::from_utf8_lossy(&read);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(serde_json::from_str(body)?);
            }
        }
    }

    fn event(second: u32, code: &str) -> Value {
        let record = json!({
            "userIdentity": { "arn": "arn:aws:iam::444455556666:user/app", "invokedBy": "s3.amazonaws.com" },
            "eventTime": format!("2026-11-25T10:00:{second:02}Z"),
            "eventName": "GenerateDataKey",
            "errorCode": code,
            "requestParameters": { "keyId": KEY },
        });
        json!({ "EventId": "e", "CloudTrailEvent": record.to_string() })
    }

    fn since() -> Timestamp {
        "2026-11-25T09:59:59.750Z".parse().unwrap()
    }

    #[tokio::test]
    async fn every_page_is_read_at_the_pace_that_is_allowed() {
        let (member, server) = served(vec![
            (200, json!({ "Events": [event(9, "AccessDenied"), event(8, "")], "NextToken": "t" })),
            (200, json!({ "Events": [], "NextToken": "u" })),
            (200, json!({ "Events": [event(3, "AccessDenied")] })),
        ])
        .await;
        let found = member.kms_denials("us-east-1", &KEY.parse().unwrap(), since()).await.unwrap();
        let seconds: Vec<i64> = found.iter().map(|denial| denial.at.as_second() % 60).collect();
        assert_eq!(seconds, [3, 9], "oldest first");
        let asked = server.await.unwrap();
        assert_eq!(asked[0].1["LookupAttributes"][0]["AttributeValue"], "kms.amazonaws.com");
        assert_eq!(asked[0].1["StartTime"], since().as_second(), "the whole second");
        assert_eq!((&asked[1].1["NextToken"], &asked[2].1["NextToken"]), (&json!("t"), &json!("u")));
        for pair in asked.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= BETWEEN_REQUESTS, "{:?}", pair[1].0 - pair[0].0);
        }
    }

    #[tokio::test]
    async fn an_empty_list_is_never_half_a_look() {
        let more = |events: Value| (200, json!({ "Events": events, "NextToken": "t" }));
        let key = KEY.parse().unwrap();
        let (member, _server) = served(vec![more(json!([event(9, "")]))]).await;
        let error = member.kms_denials_within("us-east-1", &key, since(), 1).await.unwrap_err();
        assert_eq!(error.code, "TooManyEvents");
        let (member, _server) = served(vec![more(json!([event(9, "AccessDenied")]))]).await;
        assert_eq!(member.kms_denials_within("us-east-1", &key, since(), 1).await.unwrap().len(), 1);
        let (member, _server) = served(vec![(200, json!({ "Events": [{ "EventId": "e" }] }))]).await;
        assert_eq!(member.kms_denials("us-east-1", &key, since()).await.unwrap_err().code, "Unreadable");
    }

    #[tokio::test]
    async fn a_role_that_may_not_look_is_told_what_it_lacks() {
        let denied = json!({ "__type": "AccessDeniedException", "message": "not authorized" });
        let (member, _server) = served(vec![(400, denied)]).await;
        let error = member.kms_denials("us-east-1", &KEY.parse().unwrap(), since()).await.unwrap_err();
        assert_eq!(error.code, "AccessDeniedException");
        assert!(error.hint.contains("cloudtrail:LookupEvents"), "{error:?}");
    }
}
