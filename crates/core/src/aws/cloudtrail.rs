//! AWS CloudTrail: who was denied the central key, and how many events there are to read.
//!
//! LookupEvents takes one attribute only, so every KMS event of an account and Region has to be paged through, at a rate that is
//! shared with everybody there. What is read when is decided in `campaign::denial_watch`; here is one window of time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

use super::Member;
use super::disabled_region::is_token_refused;
use super::error::{aws_error, hint};
use super::observer::{is_expired, is_skew_error};
use super::paging::Paging;
use crate::clock;
use crate::judge::{Denied, FailureClass, KnownDenials, classify, key_denial};
use crate::model::{AwsError, DenialSource, KeyArn, plausible};

const OPERATION: &str = "LookupEvents";
/// LookupEvents takes at most so many for a page [model].
pub const EVENTS_A_PAGE: usize = 50;
/// LookupEvents is limited to two requests a second for an account and Region [model], shared with everybody in it: this stays
/// under half of it.
pub const BETWEEN_REQUESTS: Duration = Duration::from_millis(1100);
/// Attempts for a page, the first one included. The SDK makes none of its own here: they would come faster.
const ATTEMPTS: u32 = 8;
/// The longest wait between two of them.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Pages that are read to learn who calls an operation: two minutes of them.
const PAGES_OF_CALLERS: usize = 100;
/// Principals and buckets that are told apart in one read: whoever reads more stops in any case.
const MOST_DENIED: usize = 500;
/// Pages that are read on after a new denial was found: enough to see who else is denied.
const PAGES_AFTER_A_DENIAL: usize = 4;
/// A rate is measured in what happened so long ago: by then CloudTrail has delivered nearly all of it.
const MEASURED_AGO: SignedDuration = SignedDuration::from_mins(20);
/// Pages that are read to measure a rate.
const PAGES_OF_RATE: usize = 4;
/// EventTime has whole seconds: a page that spans less says too little of a rate.
const RATE_SPAN: i64 = 10;

/// When the next request of an account and Region may leave.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval(Arc<tokio::sync::Mutex<Option<Instant>>>);

/// The intervals of all accounts and Regions: one each, whoever asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Intervals(Arc<Mutex<HashMap<(String, String), Interval>>>);

impl Intervals {
    pub(super) fn of(&self, account: &str, region: &str) -> Interval {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((account.to_owned(), region.to_owned())).or_default().clone()
    }
}

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
        // From the answer, not from the request.
        *self.0 = Some(Instant::now() + BETWEEN_REQUESTS);
    }
}

/// A window of time, by AWS's clock; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// What reading a window of KMS events came to.
#[derive(Clone, Debug, Default)]
pub struct EventsRead {
    /// Denials of the key, those of the same source together, in the order of their first one.
    pub denied: Vec<Denied>,
    /// Pages that were asked for.
    pub pages: usize,
    /// Events on them.
    pub events: usize,
    /// The oldest of them.
    pub oldest: Option<Timestamp>,
    /// Whether the window was read to its beginning.
    pub complete: bool,
}

impl Member {
    /// Reads the KMS events of a window, newest first, on so many pages at the most, for denied uses of a key: `LookupEvents`.
    /// Denials that are `known` are left out. After one of a source that is not, a few pages more are read.
    ///
    /// # Errors
    ///
    /// What CloudTrail answered; `Unreadable` for an event that cannot be judged.
    pub async fn kms_denials(
        &self,
        region: &str,
        key: &KeyArn,
        window: Window,
        most_pages: usize,
        known: KnownDenials<'_>,
    ) -> Result<EventsRead, AwsError> {
        let mut found: BTreeMap<DenialSource, Denied> = BTreeMap::new();
        let mut is_new = false;
        let (mut read, mut token, mut most_pages) = (EventsRead::default(), None, most_pages.max(1));
        let mut paging = Paging::new(OPERATION);
        while read.pages < most_pages {
            let page = self.kms_events(region, window, token).await?;
            read.pages += 1;
            for event in page.events() {
                read.events += 1;
                read.oldest = time_of(event).or(read.oldest);
                let record = event.cloud_trail_event().unwrap_or_default();
                let id = event.event_id().unwrap_or("without an id");
                let denial =
                    key_denial(record, key).map_err(|error| failed("Unreadable", &format!("event {id}: {error}")))?;
                let Some(denial) = denial.filter(|denial| !known.leave_out(denial)) else { continue };
                let source = denial.source();
                is_new |= !known.contain(&source);
                if found.len() < MOST_DENIED || found.contains_key(&source) {
                    found.entry(source).and_modify(|denied| denied.add(&denial)).or_insert_with(|| Denied::new(denial));
                }
            }
            if is_new {
                most_pages = most_pages.min(read.pages + PAGES_AFTER_A_DENIAL);
            }
            token = paging.next(page.next_token())?;
            if token.is_none() {
                read.complete = true;
                break;
            }
        }
        read.denied = found.into_values().collect();
        read.denied.sort_by_key(|denied| denied.first);
        Ok(read)
    }

    /// How many KMS events a second a Region of this account has, from the newest pages of what happened some time ago. Also
    /// shows whether CloudTrail answers at all.
    ///
    /// # Errors
    ///
    /// What CloudTrail answered.
    pub async fn kms_event_rate(&self, region: &str) -> Result<f64, AwsError> {
        let to = clock::now() - MEASURED_AGO;
        let window = Window { from: to - SignedDuration::from_hours(24), to };
        let (mut events, mut token, mut paging) = (Vec::new(), None, Paging::new(OPERATION));
        for _ in 0..PAGES_OF_RATE {
            let page = self.kms_events(region, window, token).await?;
            events.extend(page.events().iter().filter_map(time_of));
            token = paging.next(page.next_token())?;
            let span = events.last().map_or(0, |oldest| to.as_second() - oldest.as_second());
            if token.is_none() || span >= RATE_SPAN {
                break;
            }
        }
        Ok(rate_of(&events, window.to, token.is_none()))
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
        let window = Window { from: since, to: clock::now() };
        let (mut found, mut token, mut paging) = (BTreeMap::new(), None, Paging::new(OPERATION));
        for _ in 0..PAGES_OF_CALLERS {
            let page = self.page(region, (LookupAttributeKey::EventName, operation), window, token).await?;
            for event in page.events() {
                *found.entry(caller_of(event.cloud_trail_event().unwrap_or_default())).or_default() += 1;
            }
            token = paging.next(page.next_token())?;
            if token.is_none() {
                return Ok((found, false));
            }
        }
        Ok((found, true))
    }

    async fn kms_events(
        &self,
        region: &str,
        window: Window,
        token: Option<String>,
    ) -> Result<LookupEventsOutput, AwsError> {
        self.page(region, (LookupAttributeKey::EventSource, "kms.amazonaws.com"), window, token).await
    }

    /// One page, each attempt in its turn. A token belongs to the window that it was given for.
    async fn page(
        &self,
        region: &str,
        (attribute, value): (LookupAttributeKey, &str),
        window: Window,
        token: Option<String>,
    ) -> Result<LookupEventsOutput, AwsError> {
        let (client, calls, interval) = self.cloudtrail(region);
        let attribute = LookupAttribute::builder()
            .attribute_key(attribute)
            .attribute_value(value)
            .build()
            .map_err(|error| failed("RequestFailed", &error.to_string()))?;
        let most = i32::try_from(EVENTS_A_PAGE).unwrap_or(50);
        // Events are dated in whole seconds.
        let end = window.to.as_second() + i64::from(window.to.subsec_nanosecond() > 0);
        let request = client
            .lookup_events()
            .lookup_attributes(attribute)
            .start_time(aws_smithy_types::DateTime::from_secs(window.from.as_second()))
            .end_time(aws_smithy_types::DateTime::from_secs(end.max(window.from.as_second())))
            .max_results(most)
            .set_next_token(token);
        let mut wait = BETWEEN_REQUESTS;
        for attempt in 1.. {
            let answer = {
                let _turn = interval.turn().await;
                let _permit = calls.enter().await;
                request.clone().send().await
            };
            let error = match answer {
                Ok(page) => return Ok(page),
                Err(error) => calls.heed(aws_error(OPERATION, &error)),
            };
            let passes = classify(&error) == FailureClass::Retryable
                || is_skew_error(&error.code, &error.message)
                || is_token_refused(&error.code)
                || is_expired(&error.code) && calls.classifier.renewable;
            if attempt >= ATTEMPTS || !passes {
                return Err(error);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            sleep(wait).await;
        }
        Err(failed("RequestFailed", "no attempt was made"))
    }
}

fn time_of(event: &Event) -> Option<Timestamp> {
    Some(plausible(event.event_time()?.secs()))
}

/// Events a second, from the times of the newest ones before `to`, newest first. Of the oldest second only a part may have been
/// read, so it is left out where there is more.
fn rate_of(events: &[Timestamp], to: Timestamp, all: bool) -> f64 {
    let Some(oldest) = events.last() else { return 0.0 };
    let counted = if all { events.len() } else { events.iter().filter(|at| *at > oldest).count() };
    let span = (to.as_second() - oldest.as_second()).max(1);
    // Pages that lie within one second: at least so many.
    if counted == 0 { events.len() as f64 } else { counted as f64 / span as f64 }
}

/// Whoever made a call, by the record of it: a session's role, else the principal's own ARN, else the service.
fn caller_of(record: &str) -> String {
    let tree: serde_json::Value = serde_json::from_str(record).unwrap_or_default();
    let identity = &tree["userIdentity"];
    let role = &identity["sessionContext"]["sessionIssuer"]["arn"];
    let text = [role, &identity["arn"], &identity["invokedBy"]].into_iter().find_map(serde_json::Value::as_str);
    text.unwrap_or("a caller that the event does not name").to_owned()
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
    use crate::model::KnownDenial;

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
        json!({ "EventId": "e", "EventTime": 1_795_600_800 + i64::from(second), "CloudTrailEvent": record.to_string() })
    }

    fn since() -> Timestamp {
        "2026-11-25T09:59:59.750Z".parse().unwrap()
    }

    fn window() -> Window {
        Window { from: since(), to: "2026-11-25T10:00:30.250Z".parse().unwrap() }
    }

    async fn read(member: &Member, most_pages: usize, before: &[KnownDenial]) -> Result<EventsRead, AwsError> {
        let known = KnownDenials { before, accepted: &[] };
        member.kms_denials("us-east-1", &KEY.parse().unwrap(), window(), most_pages, known).await
    }

    #[tokio::test]
    async fn every_page_is_read_under_half_of_the_rate_that_is_allowed() {
        let (member, server) = served(vec![
            (200, json!({ "Events": [event(9, "AccessDenied"), event(8, "")], "NextToken": "t" })),
            (200, json!({ "Events": [], "NextToken": "u" })),
            (200, json!({ "Events": [event(3, "AccessDenied")] })),
        ])
        .await;
        let found = read(&member, 10, &[]).await.unwrap();
        let seconds = |at: Timestamp| at.as_second() % 60;
        assert_eq!((found.denied.len(), found.denied[0].count), (1, 2));
        assert_eq!((seconds(found.denied[0].first), seconds(found.denied[0].last)), (3, 9));
        assert_eq!((found.pages, found.events, found.complete), (3, 3, true));
        let asked = server.await.unwrap();
        assert_eq!(asked[0].1["LookupAttributes"][0]["AttributeValue"], "kms.amazonaws.com");
        assert_eq!(asked[0].1["StartTime"], since().as_second(), "the whole second");
        assert_eq!(asked[0].1["EndTime"], window().to.as_second() + 1, "the whole second");
        assert_eq!((&asked[1].1["NextToken"], &asked[2].1["NextToken"]), (&json!("t"), &json!("u")));
        for pair in asked.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(1000), "{:?}", pair[1].0 - pair[0].0);
        }
    }

    #[tokio::test]
    async fn throttling_is_waited_out_and_not_answered_with_more_requests() {
        let throttled = || (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }));
        let (member, server) = served(vec![throttled(), throttled(), (200, json!({ "Events": [event(9, "")] }))]).await;
        let found = read(&member, 10, &[]).await.unwrap();
        assert_eq!((found.pages, found.complete), (1, true));
        let asked = server.await.unwrap();
        assert!(asked[1].0 - asked[0].0 >= BETWEEN_REQUESTS * 2);
        assert!(asked[2].0 - asked[1].0 >= BETWEEN_REQUESTS * 4);
    }

    #[tokio::test]
    async fn a_window_that_was_not_read_to_its_beginning_says_so() {
        let more = |events: Value| (200, json!({ "Events": events, "NextToken": "t" }));
        let (member, _server) = served(vec![more(json!([event(9, "")]))]).await;
        let found = read(&member, 1, &[]).await.unwrap();
        assert!(!found.complete && found.denied.is_empty());
        let (member, _server) = served(vec![(200, json!({ "Events": [{ "EventId": "e" }] }))]).await;
        assert_eq!(read(&member, 10, &[]).await.unwrap_err().code, "Unreadable");
    }

    #[tokio::test]
    async fn what_is_known_is_left_out_and_a_new_denial_ends_the_read_soon() {
        let page = |nth: u32| (200, json!({ "Events": [event(9, "AccessDenied")], "NextToken": format!("t{nth}") }));
        let (member, _server) = served((0..6).map(page).collect()).await;
        let found = read(&member, 6, &[]).await.unwrap();
        assert_eq!((found.pages, found.complete), (1 + PAGES_AFTER_A_DENIAL, false));
        let known = [KnownDenial { source: found.denied[0].denial.source(), before: None }];
        let (member, _server) = served((0..6).map(page).collect()).await;
        let found = read(&member, 2, &known).await.unwrap();
        assert_eq!((found.pages, found.denied.len()), (2, 0));
    }

    #[tokio::test]
    async fn a_role_that_may_not_look_is_told_what_it_lacks() {
        let denied = json!({ "__type": "AccessDeniedException", "message": "not authorized" });
        let (member, _server) = served(vec![(400, denied)]).await;
        let error = read(&member, 10, &[]).await.unwrap_err();
        assert_eq!(error.code, "AccessDeniedException");
        assert!(error.hint.contains("cloudtrail:LookupEvents"), "{error:?}");
    }

    #[test]
    fn a_rate_is_told_from_few_pages() {
        let to: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let times = |per_second: i64, count: i64| -> Vec<Timestamp> {
            (0..count).map(|nth| to - SignedDuration::from_secs(nth / per_second)).collect()
        };
        for (per_second, count) in [(1, 50), (30, 200), (100, 200)] {
            let rate = rate_of(&times(per_second, count), to, false);
            assert!((rate / per_second as f64 - 1.0).abs() < 0.5, "{per_second}: {rate}");
        }
        assert_eq!(rate_of(&[], to, true), 0.0);
        // Two in the last day.
        let day = to - SignedDuration::from_hours(20);
        assert!(rate_of(&[day, day], to, true) < 0.001);
        assert_eq!(rate_of(&[to; 200], to, false), 200.0);
    }
}
