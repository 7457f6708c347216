//! `opt-out-tag`: the tag by which a team keeps its bucket out of the campaign.

use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};

pub(super) struct OptOutTag;

impl Guard for OptOutTag {
    fn name(&self) -> &'static str {
        "opt-out-tag"
    }

    fn keeps_from(&self) -> &'static str {
        "a bucket is changed although its team opted out"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Tags]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let Some((key, wanted)) = &at.terms.opt_out_tag else { return Word::Clear };
        let mut seen = Seen::default();
        if let Some(value) = seen.known(read(&at.evidence.tags, "GetBucketTagging")).and_then(|tags| tags.get(key)) {
            let opts_out = match wanted {
                Some(wanted) => value == wanted,
                None => !value.eq_ignore_ascii_case("false"),
            };
            if opts_out {
                seen.saw(format!("the tag {key}={value}"));
            }
        }
        seen.word("the bucket's team opted out of the campaign with a tag", "ask the team to remove the tag")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn tagged(key: &str, value: &str, wanted: Option<&str>) -> Scene {
        let mut scene = Scene::default();
        scene.terms.opt_out_tag = Some(("orgseal:opt-out".into(), wanted.map(str::to_owned)));
        scene.evidence.tags = Some(Ok([(key.to_owned(), value.to_owned())].into()));
        scene
    }

    #[test]
    fn finds_the_tag() {
        assert_eq!(
            tagged("orgseal:opt-out", "until May", None).found(&OptOutTag),
            ["the tag orgseal:opt-out=until May"]
        );
        assert_eq!(tagged("orgseal:opt-out", "yes", Some("yes")).found(&OptOutTag).len(), 1);
    }

    #[test]
    fn finds_nothing_in_others() {
        assert_eq!(tagged("orgseal:opt-out", "False", None).look(&OptOutTag), Word::Clear);
        assert_eq!(tagged("orgseal:opt-out", "no", Some("yes")).look(&OptOutTag), Word::Clear);
        assert_eq!(tagged("opt-out", "true", None).look(&OptOutTag), Word::Clear);
    }

    #[test]
    fn cannot_tell_without_the_tags() {
        let mut scene = tagged("a", "b", None);
        scene.evidence.tags = denied("GetBucketTagging", "allow s3:GetBucketTagging");
        assert_eq!(scene.advice(&OptOutTag), "allow s3:GetBucketTagging");
    }
}
