//! A wave of a campaign, as the record keeps it.

use serde::{Deserialize, Serialize};

use super::SeenDenial;

/// How far a wave has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveState {
    /// It did not begin yet.
    Pending,
    /// A person must approve it before it begins.
    Waiting,
    /// A person approved it; it did not begin yet.
    Approved,
    /// Its buckets are being changed.
    Changing,
    /// All of it is changed; it is watched.
    Baking,
    /// It is done with: the next one may begin.
    Done,
    /// Something speaks against it: the next one must not begin.
    Stopped,
    /// A rollback restored its buckets: neither it nor a later wave begins before a person asks for it (`resume --redo-wave`).
    RolledBack,
}

impl WaveState {
    /// The name in the ledger and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WaveState::Pending => "pending",
            WaveState::Waiting => "waiting",
            WaveState::Approved => "approved",
            WaveState::Changing => "changing",
            WaveState::Baking => "baking",
            WaveState::Done => "done",
            WaveState::Stopped => "stopped",
            WaveState::RolledBack => "rolled_back",
        }
    }
}

/// What a rollback restored of a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveRollback {
    /// When the rollback ended.
    pub rolled_back_at: jiff::Timestamp,
    /// How many of the wave's buckets are rolled back.
    #[serde(rename = "rolled_back")]
    pub buckets: u64,
    /// The rollback's id.
    #[serde(rename = "rolled_back_by")]
    pub by: String,
}

/// A time in which buckets of a wave were sealed before a rollback restored them. Denials of that time are no baseline: they were
/// the wave's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEarlier {
    /// When the first of them was changed.
    pub from: jiff::Timestamp,
    /// When the rollback ended.
    pub until: jiff::Timestamp,
}

/// The last that was written down of a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveRecord {
    /// Its place in the campaign file, from 1.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// How far it has come.
    pub state: WaveState,
    /// Until when it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_until: Option<jiff::Timestamp>,
    /// It is not done before this moment, so that CloudTrail can deliver what happened until `bake_until`. Absent where the wave
    /// does not look for denied uses of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_until: Option<jiff::Timestamp>,
    /// When changing its buckets began, by AWS's clock; of a wave that was done and is opened again, when it was opened again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changing_since: Option<jiff::Timestamp>,
    /// Written by earlier versions alone: denied uses of the key before this moment count as accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_since: Option<jiff::Timestamp>,
    /// Why it was stopped, or who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What was seen: principals and buckets, the command's last words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What spoke against it once, and a person accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// Denied uses of the key that stopped it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<SeenDenial>,
    /// Those that stopped it once, and a person accepted. Later ones of the same source count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_denials: Vec<SeenDenial>,
    /// So many failed buckets of it a person accepted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted_failures: u64,
    /// What a rollback restored of it, until that is redone.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<WaveRollback>,
    /// Of a wave that is redone: when its buckets were sealed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_earlier: Option<SealedEarlier>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl WaveRecord {
    /// A wave of which nothing else is known.
    #[must_use]
    pub fn new(number: u32, name: &str, state: WaveState) -> WaveRecord {
        WaveRecord {
            number,
            name: name.to_owned(),
            state,
            bake_until: None,
            settle_until: None,
            changing_since: None,
            watched_since: None,
            says: None,
            evidence: Vec::new(),
            accepted: Vec::new(),
            denials: Vec::new(),
            accepted_denials: Vec::new(),
            accepted_failures: 0,
            rolled_back: None,
            sealed_earlier: None,
        }
    }

    /// Whether a person let it continue after something stopped it.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        !self.accepted.is_empty() || self.watched_since.is_some()
    }

    /// When changing its buckets began, if the wave comes to a state now. A wave that was done begins anew: what happened since
    /// then is none of its business. A record of an earlier version may not say when a wave began, and a resumed one did before.
    #[must_use]
    pub fn changing_since_in(&self, state: WaveState, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let begins = match self.state {
            WaveState::Done | WaveState::RolledBack => true,
            WaveState::Pending | WaveState::Waiting => self.changing_since.is_none(),
            WaveState::Approved => self.changing_since.is_none() && !self.was_accepted(),
            WaveState::Changing | WaveState::Baking | WaveState::Stopped => false,
        };
        if state == WaveState::Changing && begins { Some(now) } else { self.changing_since }
    }

    /// The record without times that a wrong clock wrote: one that is in the future where it cannot be, or an end that is later than any
    /// bake lasts. Nothing of them is true, so the wave bakes again from now.
    #[must_use]
    pub fn without_future(self, now: jiff::Timestamp, longest_bake: jiff::SignedDuration) -> WaveRecord {
        let margin = jiff::SignedDuration::from_mins(5);
        let ahead = |time: Option<jiff::Timestamp>, by| time.is_some_and(|time| time.duration_since(now) > by);
        let wrong = ahead(self.changing_since, margin)
            || ahead(self.watched_since, margin)
            || ahead(self.bake_until, longest_bake + margin);
        match wrong {
            true => WaveRecord {
                bake_until: None,
                settle_until: None,
                changing_since: self.changing_since.filter(|_| !ahead(self.changing_since, margin)),
                watched_since: None,
                ..self
            },
            false => self,
        }
    }

    /// The wave after a rollback restored so many of its buckets. `whole`: nothing of it counts as changed any more, so what was
    /// found while it was watched, and what a person accepted, is about a state that is gone.
    #[must_use]
    pub fn rolled_back(self, rollback: WaveRollback, whole: bool) -> WaveRecord {
        let rolled_back = Some(rollback);
        match whole {
            false => WaveRecord { rolled_back, ..self },
            true => WaveRecord {
                changing_since: self.changing_since,
                sealed_earlier: self.sealed_earlier,
                accepted_failures: self.accepted_failures,
                rolled_back,
                ..WaveRecord::new(self.number, &self.name, WaveState::RolledBack)
            },
        }
    }

    /// The wave at the moment at which its rolled-back buckets are to be sealed again: approved as it was, watched from the next change
    /// on. `first_change`: when the first of these buckets was changed before; `failed`: how many of its buckets are failed now.
    #[must_use]
    pub fn redone(&self, says: String, first_change: Option<jiff::Timestamp>, failed: u64) -> WaveRecord {
        let until = self.rolled_back.as_ref().map(|rollback| rollback.rolled_back_at);
        let sealed = first_change.zip(until).map(|(from, until)| SealedEarlier { from, until });
        let sealed_earlier = match (self.sealed_earlier, sealed) {
            (Some(first), Some(last)) => {
                Some(SealedEarlier { from: first.from.min(last.from), until: first.until.max(last.until) })
            }
            (first, last) => last.or(first),
        };
        WaveRecord {
            says: Some(says),
            accepted_failures: self.accepted_failures.min(failed),
            sealed_earlier,
            ..WaveRecord::new(self.number, &self.name, WaveState::Approved)
        }
    }

    /// Accepts what stopped it, as it was shown.
    pub fn accept(&mut self, stopped: WaveRecord) {
        self.accepted.extend(stopped.says);
        self.accepted.extend(stopped.evidence);
        for seen in stopped.denials {
            let same = |known: &&mut SeenDenial| {
                (&known.account, &known.region, &known.source) == (&seen.account, &seen.region, &seen.source)
            };
            match self.accepted_denials.iter_mut().find(same) {
                Some(known) => known.last = known.last.max(seen.last),
                None => self.accepted_denials.push(seen),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    fn record(state: WaveState, changing_since: Option<i64>) -> WaveRecord {
        WaveRecord { changing_since: changing_since.map(at), ..WaveRecord::new(1, "canary", state) }
    }

    #[test]
    fn a_wave_begins_once_and_anew_after_it_was_done() {
        use WaveState::{Approved, Baking, Changing, Done, Pending, Stopped};
        let began = |state, since| record(state, since).changing_since_in(Changing, at(9));
        assert_eq!(began(Pending, None), Some(at(9)));
        assert_eq!(began(Approved, None), Some(at(9)));
        assert_eq!(began(Done, Some(1)), Some(at(9)), "what happened since it was done is not read");
        for state in [Changing, Baking, Stopped, Approved] {
            assert_eq!(began(state, Some(1)), Some(at(1)), "{state:?}");
        }
        // An earlier version did not say when: it was before this process came.
        assert_eq!(began(Changing, None), None);
        let approved = WaveRecord { accepted: vec!["a failure".into()], ..record(Approved, None) };
        assert_eq!(approved.changing_since_in(Changing, at(9)), None);
        assert_eq!(record(Done, Some(1)).changing_since_in(Baking, at(9)), Some(at(1)));
    }

    #[test]
    fn times_that_a_wrong_clock_wrote_do_not_count() {
        let day = 86_400;
        let longest = jiff::SignedDuration::from_hours(24);
        let told = |since, until| {
            let kept = WaveRecord { bake_until: Some(at(until)), ..record(WaveState::Baking, Some(since)) };
            let kept = kept.without_future(at(10_000 * day), longest);
            (kept.changing_since.map(|at| at.as_second() / day), kept.bake_until.map(|at| at.as_second() / day))
        };
        assert_eq!(told(9_999 * day, 10_001 * day), (Some(9_999), Some(10_001)));
        assert_eq!(told(19_999 * day, 20_000 * day), (None, None), "dated by a clock that was ahead");
        assert_eq!(told(9_999 * day, 20_000 * day), (Some(9_999), None), "its end alone");
    }

    #[test]
    fn a_wave_that_is_redone_is_watched_anew() {
        let rollback = |second| WaveRollback { rolled_back_at: at(second), buckets: 18, by: "rollback-1".into() };
        let stopped = WaveRecord {
            says: Some("denied".into()),
            evidence: vec!["a role was denied".into()],
            accepted: vec!["a failure".into()],
            bake_until: Some(at(7)),
            accepted_failures: 3,
            ..record(WaveState::Stopped, Some(1))
        };
        // A part of it: it stays what it is, and says how many.
        let partly = stopped.clone().rolled_back(rollback(20), false);
        assert_eq!(partly, WaveRecord { rolled_back: Some(rollback(20)), ..stopped.clone() });
        let whole = stopped.rolled_back(rollback(20), true);
        assert_eq!((whole.state, whole.says.as_ref(), whole.bake_until), (WaveState::RolledBack, None, None));
        assert!(whole.accepted.is_empty() && whole.evidence.is_empty());
        let text = serde_json::to_value(&whole).unwrap();
        assert_eq!((&text["state"], &text["rolled_back"]), (&"rolled_back".into(), &18.into()));
        assert_eq!(text["rolled_back_by"], "rollback-1");
        assert_eq!(serde_json::from_value::<WaveRecord>(text).unwrap(), whole);
        let redone = whole.redone("redone".into(), Some(at(2)), 1);
        assert_eq!((redone.state, redone.accepted_failures, &redone.rolled_back), (WaveState::Approved, 1, &None));
        assert_eq!(redone.sealed_earlier, Some(SealedEarlier { from: at(2), until: at(20) }));
        assert_eq!(redone.changing_since_in(WaveState::Changing, at(30)), Some(at(30)), "its beginning is new");
        // Redone once more: denials of both times are left out.
        let twice = redone.rolled_back(rollback(50), true).redone("again".into(), Some(at(31)), 0);
        assert_eq!(twice.sealed_earlier, Some(SealedEarlier { from: at(2), until: at(50) }));
        // What earlier versions wrote has none of it.
        let old: WaveRecord = serde_json::from_str(r#"{"number":1,"name":"c","state":"done"}"#).unwrap();
        assert_eq!((old.rolled_back, old.sealed_earlier), (None, None));
    }

    #[test]
    fn what_is_accepted_is_what_was_shown() {
        let seen = |principal: &str, last| SeenDenial {
            account: "444455556666".into(),
            region: "us-east-1".into(),
            source: crate::model::DenialSource {
                principal: principal.into(),
                operation: "Decrypt".into(),
                names_key: true,
                bucket: None,
            },
            last: at(last),
        };
        let stopped = |denials| WaveRecord { says: Some("no".into()), denials, ..record(WaveState::Stopped, None) };
        let mut wave = record(WaveState::Approved, None);
        wave.accept(stopped(vec![seen("a", 5)]));
        wave.accept(stopped(vec![seen("a", 7), seen("b", 6)]));
        assert_eq!(wave.accepted_denials, [seen("a", 7), seen("b", 6)]);
        assert!(wave.was_accepted() && wave.watched_since.is_none());
        let text = serde_json::to_string(&wave).unwrap();
        assert_eq!(serde_json::from_str::<WaveRecord>(&text).unwrap(), wave);
    }
}
