//! What a run is, how it is to go, and how it ends.

use std::collections::BTreeSet;

use crate::plan::PlanFile;

/// What a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read-only.
    Audit {
        /// Evaluate the guards as well, as a plan does.
        guards: bool,
    },
    /// Read-only: what a rollout would do, for a person to approve.
    Plan {
        /// Gather code for the teams that own buckets as code.
        suggest_code: bool,
    },
    /// Reads, then changes.
    Rollout {
        /// The approved plan that it carries out; `None`: it plans by itself, and asks.
        plan: Option<Box<ApprovedPlan>>,
        /// How it is to go.
        options: ChangeOptions,
    },
    /// Puts back what a campaign changed.
    Rollback {
        /// The campaign; `None` means the newest one.
        of: Option<String>,
        /// Only what was changed in this wave.
        wave: Option<u32>,
        /// How it is to go.
        options: ChangeOptions,
    },
}

impl Kind {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Audit { .. } => "audit",
            Kind::Plan { .. } => "plan",
            Kind::Rollout { .. } => "rollout",
            Kind::Rollback { .. } => "rollback",
        }
    }

    /// Whether it may change something: only one such run works in a state directory at a time. The dry run of a rollback follows
    /// what is in flight.
    pub(super) fn changes(&self) -> bool {
        match self {
            Kind::Audit { .. } | Kind::Plan { .. } => false,
            Kind::Rollout { options, .. } => !options.dry_run,
            Kind::Rollback { .. } => true,
        }
    }

    pub(super) fn options(&self) -> ChangeOptions {
        match self {
            Kind::Audit { .. } => ChangeOptions { dry_run: true, ..ChangeOptions::default() },
            Kind::Plan { suggest_code } => {
                ChangeOptions { dry_run: true, suggest_code: *suggest_code, ..ChangeOptions::default() }
            }
            Kind::Rollout { options, .. } | Kind::Rollback { options, .. } => options.clone(),
        }
    }
}

/// A plan file that a person approved.
#[derive(Clone, Debug)]
pub struct ApprovedPlan {
    /// The file.
    pub file: PlanFile,
    /// SHA-256 of the file that was approved; `None`: the ledger must know the plan.
    pub sha256: Option<String>,
    /// Who approved it; `None`: the caller.
    pub approver: Option<String>,
}

impl PartialEq for ApprovedPlan {
    fn eq(&self, other: &ApprovedPlan) -> bool {
        self.file.sha256 == other.file.sha256 && self.sha256 == other.sha256 && self.approver == other.approver
    }
}

impl Eq for ApprovedPlan {}

/// How a rollout, its resumption or a rollback is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeOptions {
    /// Stop before the first start.
    pub dry_run: bool,
    /// Try again what failed, and what was held back for a cause that somebody may have put right.
    pub retry_failed: bool,
    /// Learn the outcome of what is in flight, and start nothing.
    pub settle_only: bool,
    /// Gather code for the teams that own buckets as code.
    pub suggest_code: bool,
    /// Begin no wave after this one.
    pub until_wave: Option<u32>,
    /// Waves that a person approved beforehand.
    pub approved_waves: BTreeSet<u32>,
    /// Waves of which what was rolled back is sealed again.
    pub redo_waves: BTreeSet<u32>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It went to its end.
    Finished,
    /// It was told to stop.
    Interrupted,
    /// The person who was asked said no, and nothing was started.
    Declined,
    /// The person who was asked said no to the resumption: the run is in the state that it had before.
    ResumeDeclined,
    /// It stopped before the first start, as it was told to.
    DryRun,
    /// It did what the command line narrowed it to, and there is more to do.
    Narrowed,
    /// More failed than the campaign tolerates.
    Stopped,
    /// Something speaks against a wave: the next one must not begin.
    WaveStopped,
    /// The next wave waits for a person's approval.
    WaveWaits,
    /// It was told to begin no further wave.
    UntilWave,
    /// The next wave was rolled back, and nobody asked to redo it.
    WaveRolledBack,
    /// The caller's own credentials are not valid any more.
    CredentialsExpired,
    /// A task of orgseal panicked or was lost: what it worked on is unknown.
    TaskLost,
    /// The run as a whole could not go on.
    Failed,
}

impl Ending {
    /// The state that a run has again when its resumption is declined. A process that was killed wrote no state: its run was
    /// interrupted.
    pub(super) fn restored(state: &str) -> Ending {
        const KEPT: [Ending; 9] = [
            Ending::Finished,
            Ending::Narrowed,
            Ending::Stopped,
            Ending::WaveStopped,
            Ending::WaveWaits,
            Ending::UntilWave,
            Ending::CredentialsExpired,
            Ending::TaskLost,
            Ending::Failed,
        ];
        KEPT.into_iter().find(|ending| ending.as_str() == state).unwrap_or(Ending::Interrupted)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ending::Finished => "finished",
            Ending::Interrupted => "interrupted",
            Ending::Declined | Ending::ResumeDeclined => "declined",
            Ending::DryRun => "dry_run",
            Ending::Narrowed => "paused: narrowed",
            Ending::Stopped => "stopped: failure tolerance passed",
            Ending::WaveStopped => "stopped: wave",
            Ending::WaveWaits => "paused: approval",
            Ending::UntilWave => "paused: until wave",
            Ending::WaveRolledBack => "paused: wave rolled back",
            Ending::CredentialsExpired => "paused: credentials expired",
            Ending::TaskLost => "stopped: internal error",
            Ending::Failed => "failed",
        }
    }
}
