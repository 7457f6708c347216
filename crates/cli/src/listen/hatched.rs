//! The cells of a bar. While an account is unknown its end is hatched, so that it never looks full.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressState, ProgressStyle};

/// An unknown account takes at least so many cells.
const LEAST: usize = 2;

/// How many accounts are unknown: shared by the bars that must not look full.
#[derive(Clone, Debug, Default)]
pub(super) struct Unknown(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    unknown: AtomicU64,
    accounts: AtomicU64,
}

impl Unknown {
    pub(super) fn set(&self, unknown: u64, accounts: u64) {
        self.0.unknown.store(unknown, Ordering::Relaxed);
        self.0.accounts.store(accounts, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.0.unknown.load(Ordering::Relaxed), self.0.accounts.load(Ordering::Relaxed))
    }
}

/// What a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Accounts: the unknown ones are among them.
    Accounts,
    /// Buckets: those of unknown accounts are not among them.
    Buckets,
}

/// How many cells are filled, open and hatched.
fn cells(width: usize, done: u64, all: u64, (unknown, accounts): (u64, u64)) -> [usize; 3] {
    let part = |some: u64, whole: u64, width: usize| {
        let cells = (u128::from(some.min(whole)) * width as u128).checked_div(u128::from(whole));
        usize::try_from(cells.unwrap_or(0)).unwrap_or(width)
    };
    let hatched = if unknown == 0 { 0 } else { part(unknown, accounts, width).clamp(LEAST, width) };
    let known = width - hatched;
    let filled = part(done, all, known);
    [filled, known - filled, hatched]
}

/// A style with `{filled}`, `{open}` and `{hatched}` in its template.
pub(super) fn style(template: &str, width: usize, counted: Counted, unknown: &Unknown) -> ProgressStyle {
    let part = |index: usize, mark: &'static str| {
        let unknown = unknown.clone();
        move |state: &ProgressState, out: &mut dyn Write| {
            let all = state.len().unwrap_or(0);
            let of = unknown.get();
            let all = if counted == Counted::Accounts { all.saturating_sub(of.0) } else { all };
            // A string takes everything that is written to it.
            let _ = out.write_str(&mark.repeat(cells(width, state.pos(), all, of)[index]));
        }
    };
    // The templates are ours and fixed; a wrong one shows as indicatif's own bar.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("filled", part(0, "━"))
        .with_key("open", part(1, "╌"))
        .with_key("hatched", part(2, "╱"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressBar, ProgressDrawTarget, TermLike};
    use std::io;
    use std::sync::Mutex;

    /// A terminal that keeps what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_done_and_nothing_unknown() {
        assert_eq!(cells(28, 0, 0, (0, 0)), [0, 28, 0], "before the first account");
        assert_eq!(cells(28, 6, 6, (0, 6)), [28, 0, 0]);
        assert_eq!(cells(28, 999_999, 1_000_000, (0, 6)), [27, 1, 0]);
        assert_eq!(cells(28, 6, 6, (2, 8)), [21, 0, 7]);
        assert_eq!(cells(28, 49_999, 49_999, (1, 50_000)), [26, 0, 2]);
        assert_eq!(cells(28, 0, 0, (3, 3)), [0, 0, 28]);
        assert_eq!(cells(28, 9, 3, (0, 0)), [28, 0, 0], "never wider than the bar");
    }

    #[test]
    fn the_end_is_hatched_in_every_phase() {
        let draw = |counted, all, done| {
            let unknown = Unknown::default();
            unknown.set(2, 8);
            let screen = Screen::default();
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::term_like(Box::new(screen.clone())));
            bar.set_style(style(
                "{filled:.cyan}{open:.black.bright}{hatched:.yellow} {pos}/{len}",
                8,
                counted,
                &unknown,
            ));
            bar.set_position(done);
            bar.tick();
            console::strip_ansi_codes(&screen.0.lock().unwrap()).trim().to_owned()
        };
        assert_eq!(draw(Counted::Accounts, 8, 6), "━━━━━━╱╱ 6/8");
        assert_eq!(draw(Counted::Buckets, 20, 20), "━━━━━━╱╱ 20/20");
        assert_eq!(draw(Counted::Accounts, 8, 0), "╌╌╌╌╌╌╱╱ 0/8");
    }
}
