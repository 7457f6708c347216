//! What a guard sees while it looks: what it found, and what stayed dark. One find is enough; without any, darkness decides.

use super::Word;
use crate::judge::policy::Policy;
use crate::model::{AwsError, Read};

/// What one guard has seen so far.
#[derive(Default)]
pub(super) struct Sight {
    seen: Vec<String>,
    dark: Vec<String>,
    hints: Vec<String>,
}

impl Sight {
    /// What an operation answered. A failed read, or one that was never made, stays dark.
    pub(super) fn read<'a, T>(&mut self, read: &'a Read<T>, operation: &str) -> Option<&'a T> {
        match read {
            Some(Ok(answer)) => Some(answer),
            Some(Err(error)) => {
                self.failed(error);
                None
            }
            None => {
                self.dark.push(format!("{operation} was not asked"));
                None
            }
        }
    }

    /// The bucket's policy, where it has one that is understood.
    pub(super) fn bucket_policy(&mut self, read: &Read<Option<String>>) -> Option<Policy> {
        let text = self.read(read, "GetBucketPolicy")?.as_deref()?;
        self.policy(text, "the bucket policy")
    }

    /// The key's policy, where it is understood.
    pub(super) fn key_policy(&mut self, read: &Read<String>) -> Option<Policy> {
        let text = self.read(read, "GetKeyPolicy")?;
        self.policy(text, "the key policy")
    }

    /// A policy as data, where it is understood. `whose` names it for people.
    pub(super) fn policy(&mut self, text: &str, whose: &str) -> Option<Policy> {
        match Policy::parse(text) {
            Ok(policy) => Some(policy),
            Err(why) => {
                self.unsure(
                    format!("{whose} is not understood: {why}"),
                    "look at it, and override the guard if it is fine",
                );
                None
            }
        }
    }

    /// Something that would break.
    pub(super) fn saw(&mut self, what: impl Into<String>) {
        self.seen.push(what.into());
    }

    /// Something that cannot be told.
    pub(super) fn unsure(&mut self, why: impl Into<String>, hint: &str) {
        self.dark.push(why.into());
        self.advise(hint);
    }

    /// Something that cannot be told for want of a read that failed, which gives the advice.
    pub(super) fn undecided(&mut self, why: impl Into<String>) {
        self.dark.push(why.into());
    }

    fn failed(&mut self, error: &AwsError) {
        self.dark.push(error.to_string());
        self.advise(&error.hint);
    }

    fn advise(&mut self, hint: &str) {
        if !self.hints.iter().any(|known| known == hint) {
            self.hints.push(hint.to_owned());
        }
    }

    /// The guard's word: what it says where it found something, and what to do then.
    pub(super) fn word(mut self, says: &str, hint: &str) -> Word {
        if !self.seen.is_empty() {
            // What else might be there is told as well.
            self.seen.append(&mut self.dark);
            return Word::Found { says: says.to_owned(), evidence: self.seen, hint: hint.to_owned() };
        }
        if self.dark.is_empty() {
            return Word::Clear;
        }
        let hint = if self.hints.is_empty() { "run the command again".to_owned() } else { self.hints.join("; ") };
        Word::CannotTell { evidence: self.dark, hint }
    }
}
