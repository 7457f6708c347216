//! Whether Terraform owns a bucket, as its tags have it.

/// Whether a tag says that Terraform owns what bears it. `wanted` is `guards.terraform_tags`: a key, for any value but `false`,
/// or `key=value`; case does not matter.
#[must_use]
pub fn is_terraform_tag(key: &str, value: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|wanted| match wanted.split_once('=') {
        Some((wanted, its)) => key.eq_ignore_ascii_case(wanted) && value.eq_ignore_ascii_case(its),
        None => key.eq_ignore_ascii_case(wanted) && !value.eq_ignore_ascii_case("false"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_alone_or_with_its_value_in_any_case() {
        let wanted = ["terraform".to_owned(), "managed-by=terraform".to_owned()];
        for (key, value, is) in [
            ("Terraform", "true", true),
            ("terraform", "", true),
            ("terraform", "False", false),
            ("Managed-By", "Terraform", true),
            ("managed-by", "hand", false),
            ("team", "terraform", false),
        ] {
            assert_eq!(is_terraform_tag(key, value, &wanted), is, "{key}={value}");
        }
        assert!(!is_terraform_tag("terraform", "true", &[]));
    }
}
