//! A stacked bar of verdicts, as SVG.

use maud::{Markup, html};
use orgseal_core::model::Verdict;

use crate::meaning::title;
use crate::words::{counted, number};

/// The least width of a part: one failed bucket among a million has to be seen.
fn least(whole: f64) -> f64 {
    (whole / 100.0).max(4.0)
}

/// Accounts of which nobody knows what they hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unknown {
    pub(super) accounts: u64,
    /// All accounts.
    pub(super) of: u64,
}

/// The bar of a set of counts. `None` where there is nothing to show.
pub(super) fn bar(
    verdicts: &[Verdict],
    count: impl Fn(Verdict) -> u64,
    width: u32,
    height: u32,
    class: &str,
) -> Option<Markup> {
    draw(verdicts, count, None, (width, height, class))
}

/// The large bar of a run. It is never full while an account is unknown: its end is hatched, as wide as those accounts' share.
pub(super) fn partial(verdicts: &[Verdict], count: impl Fn(Verdict) -> u64, unknown: Unknown) -> Option<Markup> {
    draw(verdicts, count, Some(unknown).filter(|unknown| unknown.accounts > 0), (1000, 28, "bar"))
}

fn draw(
    verdicts: &[Verdict],
    count: impl Fn(Verdict) -> u64,
    unknown: Option<Unknown>,
    (width, height, class): (u32, u32, &str),
) -> Option<Markup> {
    let parts: Vec<(Verdict, u64)> =
        verdicts.iter().map(|&verdict| (verdict, count(verdict))).filter(|(_, count)| *count > 0).collect();
    if parts.is_empty() && unknown.is_none() {
        return None;
    }
    let mut words: Vec<String> =
        parts.iter().map(|(verdict, count)| format!("{} {}", number(*count), title(*verdict))).collect();
    words.extend(unknown.map(|unknown| format!("{} unknown", counted(unknown.accounts, "account"))));
    let words = words.join(", ");
    let whole = f64::from(width);
    let hatched = unknown.map_or(0.0, |unknown| unknown.width(whole));
    let known = if parts.is_empty() { 0.0 } else { whole - hatched };
    let counts: Vec<u64> = parts.iter().map(|(_, count)| *count).collect();
    let placed = widths(&counts, known).into_iter().scan(0.0, |end, part| {
        let x = *end;
        *end += part;
        Some((x, part))
    });
    Some(html! {
        svg class=(class) viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img" aria-label=(words) {
            title { (words) }
            @for ((verdict, _), (x, part)) in parts.iter().zip(placed) {
                rect class={ "fill-" (verdict.as_str()) } x={ (format!("{x:.2}")) } y="0"
                    width={ (format!("{part:.2}")) } height=(height) {}
            }
            @if unknown.is_some() {
                rect class="fill-unread" x={ (format!("{known:.2}")) } y="0" width={ (format!("{:.2}", whole - known)) } height=(height) {}
            }
        }
    })
}

impl Unknown {
    /// As wide as the unknown accounts among all, and never too narrow to be seen.
    fn width(self, whole: f64) -> f64 {
        let share = self.accounts as f64 / self.of.max(1) as f64;
        (share * whole).clamp(least(whole) * 2.0, whole)
    }
}

/// The bar of an account that nobody could look into.
pub(super) fn unknown(width: u32, height: u32, class: &str) -> Markup {
    html! {
        svg class=(class) viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img" aria-label="unknown" {
            title { "unknown" }
            rect class="fill-unread" width=(width) height=(height) {}
        }
    }
}

/// Widths in proportion, none under the least; the widest part pays for that.
fn widths(counts: &[u64], whole: f64) -> Vec<f64> {
    let sum: f64 = counts.iter().map(|count| *count as f64).sum();
    let mut widths: Vec<f64> = counts.iter().map(|count| (*count as f64 / sum * whole).max(least(whole))).collect();
    let excess = widths.iter().sum::<f64>() - whole;
    if let Some(widest) = widths.iter_mut().max_by(|a, b| a.total_cmp(b)) {
        *widest -= excess;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_with_an_unknown_account_ends_hatched() {
        let unknown = Unknown { accounts: 1, of: 1_000 };
        let sealed = |verdict| if verdict == Verdict::Sealed { 9 } else { 0 };
        let bar = partial(&[Verdict::Sealed, Verdict::Failed], sealed, unknown).unwrap().0;
        assert!(bar.contains("width=\"980.00\"") && bar.contains("class=\"fill-unread\" x=\"980.00\""), "{bar}");
        let full = partial(&[Verdict::Sealed], sealed, Unknown { accounts: 0, of: 3 }).unwrap().0;
        assert!(!full.contains("fill-unread"), "{full}");
    }

    #[test]
    fn the_parts_fill_the_bar_and_none_vanishes() {
        for counts in [vec![1], vec![1, 1_000_000], vec![3, 3, 3], vec![1, 1, 1, 1, 1, 900_000]] {
            let widths = widths(&counts, 160.0);
            assert!((widths.iter().sum::<f64>() - 160.0).abs() < 1e-9, "{widths:?}");
            assert!(widths.iter().all(|width| *width >= least(160.0)), "{widths:?}");
        }
    }
}
