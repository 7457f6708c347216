//! What one guard has seen so far, and its word: one find is enough; without any, what stayed dark decides.

use super::Word;
use super::sight::Dark;
use crate::model::BlockingPrincipal;

/// So many lines of what was found are shown; a person looks at the first ones.
const MOST_FOUND: usize = 20;
/// And so many beside them of what cannot be told.
const MOST_UNSURE: usize = 3;

/// What one guard has seen so far.
#[derive(Default)]
pub(super) struct Seen {
    notes: Vec<String>,
    found: Vec<String>,
    dark: Vec<String>,
    unsure: Vec<String>,
    hints: Vec<String>,
    fixes: Vec<String>,
    principals: Vec<BlockingPrincipal>,
}

impl Seen {
    /// Something that would break.
    pub(super) fn saw(&mut self, what: impl Into<String>) {
        self.found.push(what.into());
    }

    /// Something that was seen, and may or may not break.
    pub(super) fn unsure(&mut self, why: impl Into<String>) {
        self.unsure.push(why.into());
    }

    /// What many finds have in common: it stands before them, and is none by itself.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// What to do about something that was found, where that depends on what it is. Without any, the guard's own advice is given.
    pub(super) fn fix(&mut self, fix: impl Into<String>) {
        let fix = fix.into();
        if !self.fixes.contains(&fix) {
            self.fixes.push(fix);
        }
    }

    /// A principal of the account that what was found is about.
    pub(super) fn principal(&mut self, principal: BlockingPrincipal) {
        self.principals.push(principal);
    }

    /// What is known; what is not stays dark.
    pub(super) fn known<T>(&mut self, read: Result<T, Dark>) -> Option<T> {
        match read {
            Ok(known) => Some(known),
            Err(dark) => {
                if !self.dark.contains(&dark.why) {
                    self.dark.push(dark.why);
                }
                if !self.hints.contains(&dark.hint) {
                    self.hints.push(dark.hint);
                }
                None
            }
        }
    }

    /// How much was found.
    pub(super) fn found(&self) -> usize {
        self.found.len()
    }

    /// The guard's word: what it says where it found something, and what to do then. What else might be there is told as well.
    pub(super) fn word(self, says: &str, hint: &str) -> Word {
        let Seen { notes, found, dark, unsure, hints, fixes, principals } = self;
        let hint = if fixes.is_empty() { hint.to_owned() } else { fixes.join("; ") };
        let mut evidence = notes;
        if !found.is_empty() {
            evidence.extend(shown(found, MOST_FOUND, "more"));
            evidence.extend(dark);
            evidence.extend(shown(unsure, MOST_UNSURE, "more that could not be determined"));
            return Word::Found { says: says.to_owned(), evidence, hint, principals };
        }
        if dark.is_empty() && unsure.is_empty() {
            return Word::Clear;
        }
        evidence.extend(dark);
        evidence.extend(shown(unsure, MOST_FOUND, "more"));
        // Without a reason of its own to stay dark, the guard's advice puts an end to the doubt.
        let hint = if hints.is_empty() { hint } else { hints.join("; ") };
        Word::CannotTell { evidence, hint, principals }
    }
}

/// The first lines, and how many more there are.
fn shown(mut lines: Vec<String>, most: usize, more: &str) -> Vec<String> {
    let rest = lines.len().saturating_sub(most);
    lines.truncate(most);
    if rest > 0 {
        lines.push(format!("and {rest} {more}"));
    }
    lines
}
