//! Which events are logged: `--log-level`, otherwise `RUST_LOG`, otherwise everything down to `debug`.

use std::str::FromStr;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::args::LogLevel;

/// The prefix of our own targets. Other crates' events are never logged: they may hold headers and bodies of requests.
const OURS: &str = "orgseal";

/// The levels in force.
pub(super) struct Levels(Targets);

impl Levels {
    /// Whether an event is logged.
    pub(super) fn take(&self, target: &str, level: Level) -> bool {
        is_ours(target) && self.0.would_enable(target, &level)
    }
}

/// The levels that the flag gives, or else the variable; and directives of the variable that have no effect.
pub(super) fn in_force(flag: Option<LogLevel>, variable: Option<&str>) -> (Levels, Vec<&str>) {
    if let Some(level) = flag {
        return (Levels(Targets::new().with_default(level.filter())), Vec::new());
    }
    let (targets, unknown) = from_variable(variable.unwrap_or_default());
    (Levels(targets.unwrap_or_else(|| Targets::new().with_default(LevelFilter::DEBUG))), unknown)
}

/// The directives of `RUST_LOG` that concern us, and those that cannot be read. `None`: it says nothing of us.
fn from_variable(text: &str) -> (Option<Targets>, Vec<&str>) {
    let (mut ours, mut unknown) = (None, Vec::new());
    let all = if text.trim().is_empty() { "" } else { text };
    for directive in all.split(',').map(str::trim).filter(|_| !all.is_empty()) {
        // Nobody's, so ours to refuse.
        if directive.is_empty() || directive.starts_with('=') {
            unknown.push(directive);
            continue;
        }
        let Ok(targets) = Targets::from_str(directive) else {
            // `hyper[span]=trace` is the SDK's concern, not ours.
            if is_ours(directive) {
                unknown.push(directive);
            }
            continue;
        };
        let default = targets.default_level();
        let named: Vec<_> = targets.iter().filter(|(target, _)| is_ours(target)).collect();
        if default.is_none() && named.is_empty() {
            continue;
        }
        let mut all: Targets = ours.take().unwrap_or_default();
        if let Some(level) = default {
            all = all.with_default(level);
        }
        ours = Some(all.with_targets(named.into_iter().map(|(target, level)| (target.to_owned(), level))));
    }
    (ours, unknown)
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: &str = "orgseal::aws";

    #[test]
    fn the_flag_wins_over_the_variable_and_debug_is_the_default() {
        let levels = in_force(Some(LogLevel::Warn), Some("orgseal=trace")).0;
        assert!(levels.take(OURS, Level::WARN) && !levels.take(OURS, Level::INFO));
        let levels = in_force(None, None).0;
        assert!(levels.take(CALLS, Level::DEBUG) && !levels.take(CALLS, Level::TRACE));
    }

    #[test]
    fn the_variable_may_name_targets_and_other_crates_are_never_logged() {
        let levels = in_force(None, Some("info,orgseal::aws=debug,hyper=trace")).0;
        assert!(levels.take(OURS, Level::INFO) && !levels.take(OURS, Level::DEBUG) && levels.take(CALLS, Level::DEBUG));
        assert!(!levels.take("hyper", Level::ERROR) && !levels.take("orgsealed", Level::ERROR));
        let levels = in_force(None, Some("orgseal=off")).0;
        assert!(!levels.take(OURS, Level::ERROR));
    }

    #[test]
    fn a_variable_for_other_programs_changes_nothing() {
        for text in ["", "hyper=trace", "hyper[span]=trace"] {
            assert!(from_variable(text).0.is_none(), "{text}");
            assert!(in_force(None, Some(text)).0.take(OURS, Level::DEBUG), "{text}");
        }
        assert_eq!(from_variable("orgseal=loud,info").1, ["orgseal=loud"]);
        assert_eq!(from_variable("info,,=x").1, ["", "=x"]);
    }
}
