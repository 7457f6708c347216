//! A stacked bar of verdicts, as SVG.

use maud::{Markup, html};
use orgseal_core::model::Verdict;

use crate::meaning::title;
use crate::words::number;

/// The least width of a part: one failed bucket among a million has to be seen.
fn least(whole: f64) -> f64 {
    (whole / 100.0).max(4.0)
}

/// The bar of a set of counts. `None` where there is nothing to show.
pub(super) fn bar(
    verdicts: &[Verdict],
    count: impl Fn(Verdict) -> u64,
    width: u32,
    height: u32,
    class: &str,
) -> Option<Markup> {
    let parts: Vec<(Verdict, u64)> =
        verdicts.iter().map(|&verdict| (verdict, count(verdict))).filter(|(_, count)| *count > 0).collect();
    if parts.is_empty() {
        return None;
    }
    let words: Vec<String> =
        parts.iter().map(|(verdict, count)| format!("{} {}", number(*count), title(*verdict))).collect();
    let words = words.join(", ");
    let counts: Vec<u64> = parts.iter().map(|(_, count)| *count).collect();
    let placed = widths(&counts, f64::from(width)).into_iter().scan(0.0, |end, part| {
        let x = *end;
        *end += part;
        Some((x, part))
    });
    Some(html! {
        svg class=(class) viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img"
            aria-label=(words) {
            title { (words) }
            @for ((verdict, _), (x, part)) in parts.iter().zip(placed) {
                rect class={ "fill-" (verdict.as_str()) } x={ (format!("{x:.2}")) } y="0"
                    width={ (format!("{part:.2}")) } height=(height) {}
            }
        }
    })
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
    fn the_parts_fill_the_bar_and_none_vanishes() {
        for counts in [vec![1], vec![1, 1_000_000], vec![3, 3, 3], vec![1, 1, 1, 1, 1, 900_000]] {
            let widths = widths(&counts, 160.0);
            assert!((widths.iter().sum::<f64>() - 160.0).abs() < 1e-9, "{widths:?}");
            assert!(widths.iter().all(|width| *width >= least(160.0)), "{widths:?}");
        }
    }
}
