//! The columns of the Regions: by name where they fit, by the short codes of the field where they do not, by counts beyond that.

use orgseal_core::model::{RegionChecks, Standing};

use super::{mark, worst};

/// How the Regions are shown.
pub(super) enum Columns<'a> {
    /// A column each, with what stands above it.
    Each(Vec<(&'a str, String)>),
    /// One column for all of them.
    Counted,
}

/// What stands in a column.
pub(super) enum Cell {
    /// A mark in a column of this width.
    Mark(Option<Standing>, usize),
    /// Words.
    Words(String),
}

impl<'a> Columns<'a> {
    /// The widest form that fits into so many columns of the terminal.
    pub(super) fn of(regions: &[&'a str], room: usize) -> Columns<'a> {
        for name in [str::to_owned as fn(&str) -> String, short] {
            let heads: Vec<(&str, String)> = regions.iter().map(|region| (*region, name(region))).collect();
            if heads.iter().map(|(_, head)| head.chars().count() + 2).sum::<usize>() <= room {
                return Columns::Each(heads);
            }
        }
        Columns::Counted
    }

    pub(super) fn heads(&self) -> Vec<&str> {
        match self {
            Columns::Each(heads) => heads.iter().map(|(_, head)| head.as_str()).collect(),
            Columns::Counted => vec!["Regions"],
        }
    }

    /// What the short codes stand for.
    pub(super) fn legend(&self) -> Option<String> {
        let Columns::Each(heads) = self else { return None };
        let short = heads.iter().filter(|(region, head)| region != head);
        let legend: Vec<String> = short.map(|(region, head)| format!("{head} {region}")).collect();
        (!legend.is_empty()).then(|| legend.join(" · "))
    }

    /// An account's marks; nothing was looked at in a Region that is not there.
    pub(super) fn marks(&self, places: &[RegionChecks]) -> Vec<Cell> {
        let standing = |place: &RegionChecks| worst(place.checks.iter());
        match self {
            Columns::Each(heads) => heads
                .iter()
                .map(|(region, head)| {
                    let place = places.iter().find(|place| place.region == *region);
                    Cell::Mark(place.and_then(standing), head.chars().count())
                })
                .collect(),
            Columns::Counted => {
                let of = |wanted| places.iter().filter(|place| standing(place) == Some(wanted)).count();
                let counts = [Standing::Ok, Standing::Warning, Standing::Failed, Standing::Unknown]
                    .map(|wanted| (of(wanted), wanted))
                    .into_iter()
                    .filter(|(count, _)| *count > 0)
                    .map(|(count, standing)| format!("{count}{}", mark(standing)));
                let counts = counts.collect::<Vec<_>>().join(" ");
                vec![Cell::Words(if counts.is_empty() { "·".to_owned() } else { counts })]
            }
        }
    }
}

/// `use1` for `us-east-1`, `apse2` for `ap-southeast-2`: as availability zone ids and bills have it.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(match part {
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            "central" => "c",
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => number,
            word => word.get(..1).unwrap_or_default(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_the_short_codes_of_the_field() {
        let regions = ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"];
        assert_eq!(regions.map(short), ["use1", "euc1", "apse2", "usgw1"]);
    }

    #[test]
    fn the_widest_form_that_fits_is_taken() {
        let regions = ["us-east-1", "eu-west-1"];
        assert_eq!(Columns::of(&regions, 40).heads(), ["us-east-1", "eu-west-1"]);
        let narrow = Columns::of(&regions, 14);
        assert_eq!(narrow.heads(), ["use1", "euw1"]);
        assert_eq!(narrow.legend().unwrap(), "use1 us-east-1 · euw1 eu-west-1");
        assert!(matches!(Columns::of(&regions, 5), Columns::Counted));
    }
}
