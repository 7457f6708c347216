//! Systems Manager Automation: the document, starts, and how executions stand.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::builders::AutomationExecutionFilterBuilder;
use aws_sdk_ssm::types::{AutomationExecutionFilter, AutomationExecutionFilterKey, AutomationExecutionMetadata, Tag};

use super::answers::Unusable;
use super::calls::Calls;
use super::error::{aws_error, is_unsigned};
use super::observer::{is_expired, is_skew_error};
use super::paging::Unique;
use crate::model::{AwsError, ExecutionStatus};

/// The tag on each of our executions: its value is the campaign.
const CAMPAIGN_TAG: &str = "orgseal-campaign";

/// The statuses in which an execution takes room: it runs, or may still begin to.
const UNFINISHED: [&str; 9] = [
    "Pending",
    "InProgress",
    "Waiting",
    "Cancelling",
    "PendingApproval",
    "Scheduled",
    "RunbookInProgress",
    "PendingChangeCalendarOverride",
    "ChangeCalendarOverrideApproved",
];

/// The statuses that `DescribeAutomationExecutions` has had as filter values from its beginning: the model's enumeration names all
/// nineteen, but its guide never said that each of them may be filtered by.
const BASIC_UNFINISHED: [&str; 4] = ["Pending", "InProgress", "Waiting", "Cancelling"];

/// The model's bound on a page of `DescribeAutomationExecutions`.
const EXECUTIONS_A_PAGE: i32 = 50;

/// Systems Manager keeps executions for 30 days: times that lie further apart are none that an execution took.
const LONGEST_EXECUTION: Duration = Duration::from_secs(30 * 86_400);

/// Systems Manager in one Region, as one account.
#[derive(Clone)]
pub struct Ssm {
    pub(super) client: Client,
    pub(super) calls: Calls,
    /// The service refused a status as a filter value.
    basic_statuses: Arc<AtomicBool>,
}

/// A document as `GetDocument` returns it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The version that the content belongs to, a number.
    pub version: String,
    /// YAML or JSON.
    pub content: String,
}

/// One start.
#[derive(Clone, Debug)]
pub struct StartRequest<'a> {
    /// Name or ARN.
    pub document: &'a str,
    /// A number.
    pub version: &'a str,
    /// Values by parameter.
    pub parameters: &'a BTreeMap<String, Vec<String>>,
    /// The same for a repeat of the same act.
    pub client_token: &'a str,
    /// Goes into a tag, so that the execution can be found again.
    pub campaign: &'a str,
}

/// How a start ended.
#[derive(Clone, Debug)]
pub enum Started {
    /// `AutomationExecutionId`.
    Yes(String),
    /// AWS refused it: nothing was started.
    Refused(AwsError),
    /// Refused for now: too many requests, or too many executions. Nothing was started.
    Later(AwsError),
    /// No clear answer came: it may have been started.
    Unknown(AwsError),
}

/// An execution in a page of `DescribeAutomationExecutions`.
#[derive(Clone, Debug)]
pub struct ExecutionSeen {
    /// `AutomationExecutionId`.
    pub id: String,
    /// Document name or ARN.
    pub document: String,
    /// The ARN of who started it; a role session's ends with the session's name.
    pub executed_by: String,
    /// How it stands.
    pub status: ExecutionStatus,
    /// From start to end by the service's own clock; `None` while it runs.
    pub took: Option<Duration>,
}

/// A page of executions, and the token for the next one.
type Page = (Vec<ExecutionSeen>, Option<String>);

/// An execution as `GetAutomationExecution` shows it.
#[derive(Clone, Debug)]
pub struct ExecutionRead {
    /// How the execution stands.
    pub status: ExecutionStatus,
    /// Step name and message, or the execution's own message.
    pub message: Option<String>,
    /// What it was started with, values by parameter.
    pub parameters: BTreeMap<String, Vec<String>>,
}

impl Ssm {
    pub(super) fn new(config: &SdkConfig, calls: &Calls) -> Ssm {
        let settings = aws_sdk_ssm::config::Builder::from(config)
            .retry_partition(calls.partition.clone())
            .retry_classifier(calls.classifier)
            .interceptor(calls.observer.clone());
        Ssm { client: Client::from_conf(settings.build()), calls: calls.clone(), basic_statuses: Arc::default() }
    }

    /// `GetDocument`: the version named, or the default one.
    pub async fn document(&self, reference: &str, version: Option<&str>) -> Result<Document, AwsError> {
        let _permit = self.calls.enter().await;
        let answer = self
            .client
            .get_document()
            .name(reference)
            .set_document_version(version.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.calls.heed(aws_error("GetDocument", &error)))?;
        Ok(Document {
            version: answer.document_version().unwrap_or_default().to_owned(),
            content: answer.content().unwrap_or_default().to_owned(),
        })
    }

    /// `DescribeDocument`: the hash that Systems Manager itself computed of a version when it was created.
    pub async fn document_hash(&self, reference: &str, version: &str) -> Result<Option<String>, AwsError> {
        let _permit = self.calls.enter().await;
        let answer = self
            .client
            .describe_document()
            .name(reference)
            .document_version(version)
            .send()
            .await
            .map_err(|error| self.calls.heed(aws_error("DescribeDocument", &error)))?;
        Ok(answer.document().and_then(|document| document.hash()).map(str::to_owned))
    }

    /// `StartAutomationExecution`, once: the SDK does not repeat it, so that whoever does knows of each answer.
    pub async fn start(&self, request: &StartRequest<'_>) -> Started {
        let parameters: HashMap<String, Vec<String>> =
            request.parameters.iter().map(|(name, values)| (name.clone(), values.clone())).collect();
        let _permit = self.calls.enter().await;
        let answer = self
            .client
            .start_automation_execution()
            .document_name(request.document)
            .document_version(request.version)
            .set_parameters(Some(parameters))
            .client_token(request.client_token)
            .set_tags(Tag::builder().key(CAMPAIGN_TAG).value(request.campaign).build().ok().map(|tag| vec![tag]))
            .customize()
            .config_override(aws_sdk_ssm::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        let error = match answer {
            Ok(answer) => {
                return match answer.automation_execution_id() {
                    Some(id) => Started::Yes(id.to_owned()),
                    None => Started::Unknown(AwsError {
                        code: "Unreadable".to_owned(),
                        message: "StartAutomationExecution: the response has no execution ID".to_owned(),
                        hint: Unusable::HINT.to_owned(),
                    }),
                };
            }
            Err(error) => error,
        };
        let refused = error.raw_response().is_some_and(|answer| (400..500).contains(&answer.status().as_u16()))
            && error.as_service_error().is_some();
        let unsigned = is_unsigned(&error);
        let error = self.calls.heed(aws_error("StartAutomationExecution", &error));
        if unsigned {
            // Nothing was sent. What AssumeRole denies stays denied; the rest may pass, or ends the whole run.
            return match error.code.as_str() {
                "AccessDenied" => Started::Refused(error),
                _ => Started::Later(error),
            };
        }
        match error.code.as_str() {
            "ThrottlingException" | "AutomationExecutionLimitExceededException" => Started::Later(error),
            // The session was refused: nothing was started, and the next try has a new one.
            code if is_expired(code) => Started::Later(error),
            // So was the time of its signature, and the answer has corrected the clock.
            code if is_skew_error(code, &error.message) => Started::Later(error),
            // The token was seen before: some start with it was accepted.
            "IdempotentParameterMismatch" => Started::Unknown(error),
            _ if refused => Started::Refused(error),
            // A construction failure never left; its code says so.
            "RequestFailed" => Started::Refused(error),
            _ => Started::Unknown(error),
        }
    }

    /// `DescribeAutomationExecutions`, newest first, one page of those started since a moment: what is in it and the token
    /// for the next one.
    pub async fn executions(&self, since: SystemTime, token: Option<String>) -> Result<Page, AwsError> {
        let filter =
            AutomationExecutionFilter::builder().key(AutomationExecutionFilterKey::StartTimeAfter).values(iso(since));
        self.page([filter], token).await
    }

    /// `DescribeAutomationExecutions`, one page of those that bear a campaign's tag and were started since a moment. The filter
    /// knows tags' keys alone: which campaign's each is, the name of the session says.
    pub async fn executions_of_campaigns(&self, since: SystemTime, token: Option<String>) -> Result<Page, AwsError> {
        let tagged =
            AutomationExecutionFilter::builder().key(AutomationExecutionFilterKey::TagKey).values(CAMPAIGN_TAG);
        let recent =
            AutomationExecutionFilter::builder().key(AutomationExecutionFilterKey::StartTimeAfter).values(iso(since));
        self.page([tagged, recent], token).await
    }

    /// `DescribeAutomationExecutions`, one page of those that have not ended, whenever they were started. Where the service refuses a
    /// status as a filter value, the four basic ones are asked for instead, in this Region and session from then on.
    pub async fn unfinished(&self, token: Option<String>) -> Result<Page, AwsError> {
        let filter = |statuses: &[&str]| {
            AutomationExecutionFilter::builder()
                .key(AutomationExecutionFilterKey::ExecutionStatus)
                .set_values(Some(statuses.iter().map(|status| (*status).to_owned()).collect()))
        };
        if !self.basic_statuses.load(Ordering::Relaxed) {
            match self.page([filter(&UNFINISHED)], token.clone()).await {
                Err(error) if error.code.starts_with("InvalidFilterValue") => {
                    self.basic_statuses.store(true, Ordering::Relaxed);
                }
                page => return page,
            }
        }
        self.page([filter(&BASIC_UNFINISHED)], token).await
    }

    async fn page(
        &self,
        filters: impl IntoIterator<Item = AutomationExecutionFilterBuilder>,
        token: Option<String>,
    ) -> Result<Page, AwsError> {
        let filters = filters.into_iter().filter_map(|filter| filter.build().ok()).collect();
        let _permit = self.calls.enter().await;
        let answer = self
            .client
            .describe_automation_executions()
            .set_filters(Some(filters))
            .max_results(EXECUTIONS_A_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| self.calls.heed(aws_error("DescribeAutomationExecutions", &error)))?;
        let seen = answer.automation_execution_metadata_list().iter().map(seen);
        let seen = Unique::new("DescribeAutomationExecutions")
            .only_new(seen, |seen| (format!("execution {}", seen.id), seen.status.0.clone()))?;
        Ok((seen, answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned)))
    }

    /// `GetAutomationExecution`: how one execution stands, and at which step it failed.
    pub async fn explain(&self, id: &str) -> Result<ExecutionRead, AwsError> {
        let _permit = self.calls.enter().await;
        let answer = self
            .client
            .get_automation_execution()
            .automation_execution_id(id)
            .send()
            .await
            .map_err(|error| self.calls.heed(aws_error("GetAutomationExecution", &error)))?;
        let execution = answer.automation_execution();
        let status = execution.and_then(|e| e.automation_execution_status()).map_or("", |status| status.as_str());
        let step = execution
            .map(|execution| execution.step_executions())
            .unwrap_or_default()
            .iter()
            .find(|step| step.failure_message().is_some());
        let message = match step {
            Some(step) => Some(format!(
                "step {}: {}",
                step.step_name().unwrap_or("?"),
                step.failure_message().unwrap_or_default()
            )),
            None => execution.and_then(|e| e.failure_message()).map(str::to_owned),
        };
        let parameters = execution.and_then(|execution| execution.parameters()).cloned().unwrap_or_default();
        Ok(ExecutionRead { status: status.into(), message, parameters: parameters.into_iter().collect() })
    }
}

fn seen(metadata: &AutomationExecutionMetadata) -> ExecutionSeen {
    let moment = |time: Option<&aws_smithy_types::DateTime>| time.and_then(|time| SystemTime::try_from(*time).ok());
    let (start, end) = (moment(metadata.execution_start_time()), moment(metadata.execution_end_time()));
    ExecutionSeen {
        id: metadata.automation_execution_id().unwrap_or_default().to_owned(),
        document: metadata.document_name().unwrap_or_default().to_owned(),
        executed_by: metadata.executed_by().unwrap_or_default().to_owned(),
        status: metadata.automation_execution_status().map_or("", |status| status.as_str()).into(),
        took: start
            .zip(end)
            .and_then(|(start, end)| end.duration_since(start).ok())
            .filter(|took| *took <= LONGEST_EXECUTION),
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ`, as the filter wants it.
fn iso(time: SystemTime) -> String {
    let since = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
