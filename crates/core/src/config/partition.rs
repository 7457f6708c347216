//! One partition for the whole campaign file: an organization, its keys and its principals are in one, and an ARN of another
//! partition never matches anything in it.

use super::{CampaignFile, Problem};

pub(super) fn check(file: &CampaignFile, found: &mut Vec<Problem>) {
    // What is wrong with the keys themselves is told first.
    if found.iter().any(|problem| problem.path.starts_with("central_key")) {
        return;
    }
    let keys = file.all_keys();
    let Some(first) = keys.first() else { return };
    let own = first.partition.as_str();
    if let Some(other) = keys.iter().find(|key| key.partition != own) {
        found.push(Problem::new(
            "central_key",
            format!("{first} and {other} are in different partitions"),
            "name keys of one partition, and write a campaign file for the organization of each",
        ));
        return;
    }
    for (path, arn) in arns(file) {
        let partition = arn.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or(own);
        if partition != own && !partition.contains(['*', '?']) {
            found.push(Problem::new(
                path,
                format!("`{arn}` is in partition {partition}, and the central keys are in {own}: it would never match"),
                format!("write arn:{own}:…"),
            ));
        }
    }
}

/// The ARNs of principals that the file names, with their settings.
fn arns(file: &CampaignFile) -> impl Iterator<Item = (String, &String)> {
    let bootstrap = &file.bootstrap;
    let lists = [
        ("bootstrap.key_administrators", &bootstrap.key_administrators),
        ("bootstrap.break_glass", &bootstrap.break_glass),
        ("bootstrap.pipelines", &bootstrap.pipelines),
        ("guards.ignored_principals", &file.guards.ignored_principals),
    ];
    lists
        .into_iter()
        .flat_map(|(name, arns)| arns.iter().enumerate().map(move |(index, arn)| (format!("{name}[{index}]"), arn)))
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    const LEAST: &str = r#"
[member_role]
name = "orgseal-member"
[central_key]
us-gov-west-1 = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/abc"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
"#;

    #[test]
    fn an_arn_of_another_partition_is_named() {
        let more = r#"
[bootstrap]
break_glass = ["arn:aws-us-gov:iam::*:role/break-glass", "arn:aws:iam::*:role/break-glass", "arn:*:iam::*:role/any"]
[guards]
ignored_principals = ["arn:aws-cn:iam::*:role/scanner"]
"#;
        let shown = load(&format!("{LEAST}{more}"), "c.toml", &[]).unwrap_err().to_string();
        assert_eq!(
            shown,
            "c.toml:12: `arn:aws:iam::*:role/break-glass` is in partition aws, and the central keys are in aws-us-gov: it would never \
             match; write arn:aws-us-gov:…\nc.toml:14: `arn:aws-cn:iam::*:role/scanner` is in partition aws-cn, and the central keys \
             are in aws-us-gov: it would never match; write arn:aws-us-gov:…"
        );
        load(LEAST, "c.toml", &[]).unwrap();
    }

    #[test]
    fn keys_of_two_partitions_are_refused() {
        let two = LEAST.replace("[document]", "us-east-1 = \"arn:aws:kms:us-east-1:111122223333:key/def\"\n[document]");
        let shown = load(&two, "c.toml", &[]).unwrap_err().to_string();
        assert!(shown.contains("are in different partitions; name keys of one partition"), "{shown}");
    }
}
