//! Those who listen to a run: counters, bars or plain lines for people, the log. Each in its own file; a new one is a line in
//! [`events`].

mod bars;
mod hatched;
mod lines;
pub(crate) mod log;
mod log_level;
mod log_line;
mod stage;
mod tally;

use indicatif::MultiProgress;
use orgseal_core::event::{Events, Listener};
use orgseal_core::text::visible;

use crate::failure::completed;
use crate::output;

/// What draws on standard error.
#[derive(Clone)]
pub(crate) struct Screen(Option<MultiProgress>);

impl Screen {
    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.0 {
            // A terminal that is gone needs no clearing.
            let _ = bars.clear();
            bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
    }

    /// Keeps the bars away while a person is asked. Nothing waits for the answer but who asked.
    pub(crate) fn pause(&self) {
        self.clear();
    }

    /// Brings the bars back.
    pub(crate) fn go_on(&self) {
        if let Some(bars) = &self.0 {
            bars.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
    }

    /// Runs something that writes to the terminal, with the bars out of its way.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// The events of a run with everyone who listens: bars on a terminal, plain lines elsewhere, and the log if one is asked for.
pub(crate) fn events() -> (Events, Screen) {
    let counters = tally::Counters::new();
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(counters.clone())];
    let mut screen = Screen(None);
    if log::writes_to_stderr() {
        // The log says it all already.
    } else if output::bars_wanted() {
        let bars = bars::Bars::new(counters);
        screen = Screen(Some(bars.screen()));
        listeners.push(Box::new(bars));
    } else {
        listeners.push(Box::new(lines::Lines::new(counters)));
    }
    if log::is_on() {
        listeners.push(Box::new(log::Log));
    }
    (Events::new(listeners), screen)
}

/// A line for people outside of a run's events. Where the log goes to standard error, it is a line of the log.
pub(crate) fn say(text: &str) {
    match log::writes_to_stderr() {
        true => tracing::warn!(target: "orgseal", "{text}"),
        false => output::err(&visible(&completed(text))),
    }
}

/// A time that people read at a glance.
pub(crate) fn clock(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}
