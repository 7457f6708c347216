//! Three values: yes, no, and cannot tell, with its reason.

/// What can be said for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// It may be so: why that cannot be told.
    CannotTell(String),
}

impl Answer {
    /// Both. A no decides, whatever the other is.
    #[must_use]
    pub fn and(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::No, _) | (_, Answer::No) => Answer::No,
            (why @ Answer::CannotTell(_), _) | (_, why @ Answer::CannotTell(_)) => why,
            (Answer::Yes, Answer::Yes) => Answer::Yes,
        }
    }

    /// Either. A yes decides, whatever the other is.
    #[must_use]
    pub fn or(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
            (why @ Answer::CannotTell(_), _) | (_, why @ Answer::CannotTell(_)) => why,
            (Answer::No, Answer::No) => Answer::No,
        }
    }

    /// Unless the other: what is allowed unless it is denied.
    #[must_use]
    pub fn unless(self, denied: Answer) -> Answer {
        self.and(denied.negated())
    }

    /// The opposite; what cannot be told stays so.
    #[must_use]
    pub fn negated(self) -> Answer {
        match self {
            Answer::Yes => Answer::No,
            Answer::No => Answer::Yes,
            why @ Answer::CannotTell(_) => why,
        }
    }

    /// Whether it may be so.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        *self != Answer::No
    }

    /// The same, with the reason put into words where there is one.
    #[must_use]
    pub fn because(self, put: impl FnOnce(&str) -> String) -> Answer {
        match self {
            Answer::CannotTell(why) => Answer::CannotTell(put(&why)),
            told => told,
        }
    }
}

impl From<bool> for Answer {
    fn from(so: bool) -> Answer {
        if so { Answer::Yes } else { Answer::No }
    }
}
