//! Why a plan file is refused.

use std::fmt;
use std::path::PathBuf;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A plan.
    Plan,
    /// A plan as Markdown.
    Markdown,
}

impl Content {
    /// Whether a file that begins so is one of its kind.
    pub(super) fn begins(self, beginning: &[u8]) -> bool {
        match self {
            Content::Plan => beginning
                .strip_prefix(b"{")
                .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"schema\": \"orgseal.plan/")),
            Content::Markdown => beginning.starts_with(b"# Plan "),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Plan => "the plan",
            Content::Markdown => "the plan's Markdown",
        })
    }
}

/// Why a plan file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It cannot be read.
    #[error("the plan {} cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It cannot be written.
    #[error("the plan {} cannot be written: {why}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What stands where it would be written is not ours to replace, or nothing can be written there.
    #[error("{of} cannot be written to {}: {why}", path.display())]
    NoPlace {
        /// Which file of the two.
        of: Content,
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is no plan, or one of a version that is not known.
    #[error("{} is no plan that this version understands: {why}", path.display())]
    NoPlan {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Its own hash does not fit.
    #[error("the plan {} was changed after it was made: what it holds does not fit its own sha256", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
    },
}
