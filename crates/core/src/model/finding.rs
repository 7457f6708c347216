//! What is said of a bucket: verdict, reason, evidence.

use serde::{Deserialize, Serialize};

use super::{AwsError, Bucket, DefaultEncryption, Execution, ExemptionNote, GuardFinding};

/// The word that counts in summaries and exit codes. A bucket has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// S3 shows what the campaign wants.
    Sealed,
    /// S3 shows something that the campaign would replace.
    NotSealed,
    /// Not as wanted, and not to be changed without a person's word.
    Held,
    /// A person decided that it stays as it is.
    Exempt,
    /// It could not be read.
    Unread,
    /// A change was tried, and S3 does not show it.
    Failed,
    /// In a rollback: S3 shows the configuration from before the campaign.
    Restored,
    /// In a rollback: S3 still shows what the campaign left.
    NotRestored,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 8] = [
        Verdict::Sealed,
        Verdict::NotSealed,
        Verdict::Held,
        Verdict::Exempt,
        Verdict::Unread,
        Verdict::Failed,
        Verdict::Restored,
        Verdict::NotRestored,
    ];

    /// The verdicts of audits and rollouts, in the order in which summaries show them.
    pub const OF_SEALING: &[Verdict] =
        &[Verdict::Sealed, Verdict::NotSealed, Verdict::Held, Verdict::Exempt, Verdict::Unread, Verdict::Failed];

    /// The verdicts of rollbacks, in the order in which summaries show them.
    pub const OF_RESTORING: &[Verdict] =
        &[Verdict::Restored, Verdict::NotRestored, Verdict::Held, Verdict::Unread, Verdict::Failed];

    /// The name in JSON, CSV and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Sealed => "sealed",
            Verdict::NotSealed => "not_sealed",
            Verdict::Held => "held",
            Verdict::Exempt => "exempt",
            Verdict::Unread => "unread",
            Verdict::Failed => "failed",
            Verdict::Restored => "restored",
            Verdict::NotRestored => "not_restored",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $says:literal;)*) => {
        /// Why a bucket has its verdict. The names are part of the output's contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The name in JSON, CSV and the ledger.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }

            /// One line for people.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Reason::$name => $says,)* }
            }
        }
    };
}

reasons! {
    /// Algorithm, key and Bucket Key are as wanted.
    AsWanted = "as_wanted", "on the central key, as wanted";
    /// DSSE-KMS with the right key where SSE-KMS is wanted.
    Stronger = "stronger", "dual-layer encryption on the central key: stronger than wanted";
    /// `ServerSideEncryptionConfigurationNotFoundError`.
    NoConfiguration = "no_configuration", "no default encryption is configured";
    /// `AES256`.
    SseS3 = "sse_s3", "SSE-S3 (AES256)";
    /// `aws:kms` without a key, or with the alias `aws/s3`.
    AwsManagedKey = "aws_managed_key", "the AWS managed key aws/s3";
    /// The right key under a weaker algorithm than wanted.
    WrongAlgorithm = "wrong_algorithm", "the central key, but a weaker algorithm than wanted";
    /// The right key and algorithm, with the Bucket Key off.
    BucketKeyOff = "bucket_key_off", "the central key, but the Bucket Key is off";
    /// Another customer managed key of the bucket's Region.
    OtherKey = "other_key", "another customer managed key";
    /// A key of an account that is neither the bucket's nor the central one.
    KeyOfOtherAccount = "key_of_other_account", "a key of another account";
    /// A key that S3 cannot use, since it is in another Region.
    KeyOfOtherRegion = "key_of_other_region", "a key of another Region, which S3 cannot use: new objects are refused";
    /// An alias or bare key id: it resolves in the requester's account, so it cannot be proven equal.
    UnprovenKey = "unproven_key", "an alias or bare key id, which cannot be proven to be the central key";
    /// DSSE-KMS on a key that is not the central one, replaced because the campaign file says so.
    DsseOtherKey = "dsse_other_key", "dual-layer encryption on another key";
    /// A team's own customer managed key stays.
    CustomerKeyKept = "customer_key_kept", "a customer managed key of its own: kept (`encryption.replace` may say otherwise)";
    /// DSSE-KMS on another key stays.
    DsseKept = "dsse_kept", "dual-layer encryption: never made weaker unless `encryption.replace` says so";
    /// An alias or bare key id stays.
    UnprovenKeyKept = "unproven_key_kept", "an alias or bare key id: kept, since it may be a team's own key";
    /// The campaign has no central key in the bucket's Region.
    NoKeyForRegion = "no_key_for_region", "the campaign names no central key for this Region";
    /// The central key of the Region failed a check.
    KeyNotUsable = "key_not_usable", "the central key of this Region cannot be used";
    /// The member role could not be proven able to use the central key.
    KeyNotProven = "key_not_proven", "it is not proven that the member role can use the central key of this Region";
    /// The document's exact result would differ from what is wanted.
    DocumentCannotCarry = "document_cannot_carry", "the Automation document cannot produce exactly the wanted configuration";
    /// `allowedPattern`, `minChars` or `maxChars` of a parameter refuse its value.
    ParameterNotAccepted = "parameter_not_accepted", "the Automation document does not accept a parameter value of this bucket";
    /// The document is missing in the account and Region, or must not be started.
    DocumentNotUsable = "document_not_usable", "the Automation document cannot be used in this account and Region";
    /// A configuration that this program does not understand.
    NotUnderstood = "not_understood", "a configuration that this version does not understand: left alone";
    /// A guard found, or could not rule out, that the change would break something.
    Guarded = "guarded", "a guard holds it: the change would, or may, break an application";
    /// An exemption names it.
    Exempted = "exempted", "exempt by the exemptions file";
    /// An exemption goes by bucket tags, and these could not be read.
    ExemptionUnclear = "exemption_unclear", "could not determine whether an exemption applies, because its tags could not be \
                                             read";
    /// No wave of the campaign takes it.
    InNoWave = "in_no_wave", "no wave of the campaign takes it";
    /// A rollout by plan leaves alone what the plan does not name.
    NotInPlan = "not_in_plan", "the approved plan does not name it for a change";
    /// What the plan rested on is not so any more.
    DiffersFromPlan = "differs_from_plan", "it is not as the approved plan has it";
    /// `AccessDenied`.
    AccessDenied = "access_denied", "access was denied";
    /// Throttled to the end of the retries.
    Throttled = "throttled", "throttled until the retries were used up";
    /// No answer came.
    NoAnswer = "no_answer", "no answer came";
    /// Any other AWS error while reading.
    ReadError = "read_error", "it could not be read";
    /// The bucket was listed, and is gone.
    Gone = "gone", "it was deleted after it was listed";
    /// The bucket's Region is disabled in its account.
    RegionDisabled = "region_disabled", "its Region is disabled in the account";
    /// The bucket's Region is not known.
    RegionUnknown = "region_unknown", "its Region could not be found out";
    /// `StartAutomationExecution` was refused.
    StartRefused = "start_refused", "the execution could not be started";
    /// An earlier execution in the account and Region was denied, so none was started on this bucket.
    ChangeDenied = "change_denied", "an execution in this account and Region was denied, so no further one was started";
    /// The execution ended without success, and S3 does not show the change.
    ExecutionFailed = "execution_failed", "the execution failed";
    /// The execution did not end within the campaign's time limit.
    ExecutionTimedOut = "execution_timed_out", "the execution did not end in time; it may still act";
    /// The execution's outcome could not be learned.
    OutcomeUnknown = "outcome_unknown", "the execution's outcome could not be learned";
    /// A start of an earlier run has no known outcome yet.
    UnderWay = "under_way", "an execution of an earlier run may still act on it, so none was started";
    /// An execution of this run is under way, after a time in which nothing was known of it.
    InFlight = "in_flight", "an execution on it is under way";
    /// `DescribeAutomationExecutions` gives no answer in the account and Region, so nothing was started there.
    CannotFollow = "cannot_follow", "executions cannot be followed in this account and Region, so none was started";
    /// Executions that do not end, or those of others, left no room within the limits.
    NoCapacity = "no_capacity", "no execution slot became free in time";
    /// A start was intended, and nothing of it is to be found: it never left, or never arrived.
    NeverStarted = "never_started", "a start was intended and never arrived; nothing was changed";
    /// In a rollback: S3 shows what was there before the campaign.
    AsBefore = "as_before", "as it was before the campaign";
    /// In a rollback: still as the campaign left it.
    AsTheCampaignLeftIt = "as_the_campaign_left_it", "still as the campaign left it";
    /// In a rollback: neither as before nor as the campaign left it.
    ChangedSince = "changed_since", "changed by another caller since the campaign; it is not restored";
    /// In a rollback: the key from before the campaign cannot be used any more.
    FormerKeyNotUsable = "former_key_not_usable", "the key from before the campaign cannot be used any more";
    /// In a rollback: AWS Config's automatic remediation would seal it again at once.
    ConfigWouldUndo = "config_would_undo", "automatic remediation of AWS Config would undo the rollback";
    /// A rollback restored the bucket, which this campaign had changed. Only `resume --redo-wave` seals it again.
    RolledBack = "rolled_back", "rolled back: a rollback of this campaign restored what it had before";
    /// Read-back shows other blocked encryption types than before the change.
    BlockedTypesChanged = "blocked_types_changed", "the change altered the encryption types that the bucket blocks";
    /// Automation rejected `BlockedEncryptionTypes` as an unknown parameter.
    BlockedTypesUnknown = "blocked_types_unknown", "Automation does not know BlockedEncryptionTypes here: nothing was changed, and the next start omits it";
    /// The execution says Success, and S3 does not show the change.
    NotEffective = "not_effective", "the execution reports success, but S3 does not show the change";
}

/// A verdict with its reason, and the reason beneath it where a hold covers one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The word that counts.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was observed, where `reason` says why it is held: a held bucket on `other_key`, say.
    pub observed: Option<Reason>,
}

/// All that is said of a bucket in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which bucket.
    pub bucket: Bucket,
    /// What is said of it.
    pub judgement: Judgement,
    /// The configuration last read; `None` where none was.
    pub encryption: Option<DefaultEncryption>,
    /// The last execution started on it in this run.
    pub execution: Option<Execution>,
    /// Why it is unread, failed or held.
    pub error: Option<AwsError>,
    /// In a rollback: between when and when the bucket was under the central key.
    pub sealed: Option<SealedInterval>,
    /// The wave that it belongs to, from 1; `None` where nothing was planned for it.
    pub wave: Option<u32>,
    /// What guards found on it.
    pub guards: Vec<GuardFinding>,
    /// The exemption by which it stays as it is.
    pub exemption: Option<ExemptionNote>,
}

/// The time in which a bucket's default was the central key by a campaign's doing. Objects written then that name no
/// encryption of their own stay under that key after a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedInterval {
    /// From the moment at which the campaign's first start on it was about to leave.
    pub from: jiff::Timestamp,
    /// Until S3 showed the former configuration again; `None` while it does not.
    pub until: Option<jiff::Timestamp>,
}
