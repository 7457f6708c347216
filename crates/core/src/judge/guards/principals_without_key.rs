//! `principals-without-key`: who works with the bucket from its own account, and may not use the central key.

use super::access::{self, DECRYPT, GENERATE, READ, WRITE};
use super::seen::Seen;
use super::sight::{Dark, Sight};
use super::{Guard, Need, Word};
use crate::judge::policy::{Answer, Holder, Policy, Right};
use crate::model::KeyArn;

/// Under SSE-S3 nobody needs a right on a key; under a key of another account everybody does, in their own policies. What
/// takes that away (service control policies, endpoint policies) is not seen.
pub(super) struct PrincipalsWithoutKey;

/// Roles of services, with which S3 objects are not read or written for a team.
const SERVICE_LINKED: &str = ":role/aws-service-role/";

impl Guard for PrincipalsWithoutKey {
    fn name(&self) -> &'static str {
        "principals-without-key"
    }

    fn keeps_from(&self) -> &'static str {
        "users and roles of the bucket's account that may not use the key lose their access to objects"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Identities, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

/// Both sides of what a principal needs.
struct Sides<'a> {
    at: &'a Sight<'a>,
    bucket: Option<&'a Policy>,
    key: KeyArn,
    key_policy: &'a Policy,
}

/// What is said of one principal.
enum Said {
    Lacks { line: String, admitted: bool },
    Unclear(String),
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()? else { return Ok(Word::Clear) };
    let holders = at.holders()?;
    let sides = Sides { at, bucket: at.bucket_policy()?, key, key_policy: at.key_policy()? };
    let (mut seen, mut all_admitted) = (Seen::default(), true);
    for holder in holders.concerned(&at.bucket.name, &access::objects(at), sides.bucket) {
        if holder.arn.contains(SERVICE_LINKED) || at.ignores(&holder.arn) {
            continue;
        }
        match sides.look_at(holder) {
            Some(Said::Lacks { line, admitted }) => {
                all_admitted &= admitted;
                seen.saw(line);
            }
            Some(Said::Unclear(line)) => seen.unsure(line),
            None => {}
        }
    }
    let says = match seen.found() {
        1 => "a user or role of the bucket's account may read or write objects here, and may not use the central key"
            .to_owned(),
        count => {
            format!(
                "{count} users and roles of the bucket's account may read or write objects here, and may not use the central key"
            )
        }
    };
    Ok(seen.word(&says, &sides.hint(all_admitted)))
}

impl Sides<'_> {
    fn look_at(&self, holder: &Holder) -> Option<Said> {
        let (writes, reads) = (self.right(holder, WRITE), self.right(holder, READ));
        let (may_write, may_read) = (writes.answer.is_possible(), reads.answer.is_possible());
        let needs: &[&str] = match (may_write, may_read) {
            (false, false) => return None,
            (true, _) => &[GENERATE, DECRYPT],
            (false, true) => &[DECRYPT],
        };
        let (mut lacks, mut why, mut admitted) = (Vec::new(), None, true);
        for &action in needs {
            let request = holder.request(&self.at.organization.id, action, self.key.to_string().as_str().into());
            let request = access::of_key(request, self.at, &self.key);
            let right = holder.may_use_key(self.key_policy, &self.key.account, &request);
            match right.answer() {
                Answer::Yes => {}
                Answer::No => {
                    admitted &= right.admitted != Answer::No;
                    lacks.push(action);
                }
                Answer::CannotTell(reason) => why = why.or(Some(format!("{action}: {reason}"))),
            }
        }
        let does = describe(&writes, &reads);
        if !lacks.is_empty() {
            let side = if admitted { "its own policies do not allow it" } else { "the key policy does not admit it" };
            let note = match (may_write, lacks.as_slice()) {
                (true, [DECRYPT]) => ", which multipart uploads need",
                _ => "",
            };
            let line = format!("{} {does}, and lacks {}{note}: {side}", holder.arn, lacks.join(" and "));
            return Some(Said::Lacks { line, admitted });
        }
        why.map(|why| Said::Unclear(format!("{} {does}; {why}", holder.arn)))
    }

    /// Whether a principal may do something to some of the bucket's objects.
    fn right(&self, holder: &Holder, action: &str) -> Right {
        let request = holder.request(&self.at.organization.id, action, access::objects(self.at));
        holder.may_in_own_bucket(self.bucket, &access::of_bucket(request, self.at))
    }

    fn hint(&self, all_admitted: bool) -> String {
        let own = access::statement(self.at, &self.key, &[GENERATE, DECRYPT], None);
        let ignore = "name those that need no look in guards.ignored_principals";
        if all_admitted {
            return format!("add to their policies {own}; {ignore}");
        }
        let root = format!("arn:{}:iam::{}:root", self.at.partition, self.at.bucket.account);
        let admit = access::statement(self.at, &self.key, &[GENERATE, DECRYPT], Some(("AWS", &root)));
        format!("add to the key policy {admit}, and to their policies {own}; {ignore}")
    }
}

fn describe(writes: &Right, reads: &Right) -> String {
    let may = |right: &Right| match right.answer {
        Answer::CannotTell(_) => "perhaps, under conditions, ",
        _ => "",
    };
    let by = |right: &Right| right.by.as_deref().map(|by| format!(" ({by})")).unwrap_or_default();
    match (writes.answer.is_possible(), reads.answer.is_possible()) {
        (true, true) if writes.by == reads.by => format!("may {}write and read{}", may(writes), by(writes)),
        (true, true) => format!("may {}write{} and {}read{}", may(writes), by(writes), may(reads), by(reads)),
        (true, false) => format!("may {}write{}", may(writes), by(writes)),
        _ => format!("may {}read{}", may(reads), by(reads)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use std::sync::Arc;

    use crate::model::{Identities, Identity};

    const WRITES: &str = r#"{"Sid":"W","Effect":"Allow","Action":"s3:Put*","Resource":"*"}"#;
    const READS: &str = r#"{"Sid":"R","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/logs/*"}"#;
    const ALL_KEYS: &str = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#;
    const GENERATES: &str = r#"{"Effect":"Allow","Action":"kms:GenerateDataKey*","Resource":"*"}"#;
    const ELSEWHERE: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::c","arn:aws:s3:::c/*"]}"#;
    const GUARD: PrincipalsWithoutKey = PrincipalsWithoutKey;

    fn site(own: &[&str]) -> Scene {
        Scene::with_policies(None, ORGANIZATION).with_roles(&[("app", own), ("idle", &[ELSEWHERE]), ("none", &[])])
    }

    #[test]
    fn finds_who_works_with_objects_and_has_no_right_on_the_key() {
        let arn = "arn:aws:iam::111122223333:role/app";
        for (own, line) in [
            (vec![WRITES], "may write (policy team, statement W), and lacks kms:GenerateDataKey and kms:Decrypt"),
            (vec![READS], "may read (policy team, statement R), and lacks kms:Decrypt"),
            (
                vec![WRITES, GENERATES],
                "may write (policy team, statement W), and lacks kms:Decrypt, which multipart uploads need",
            ),
        ] {
            let found = site(&own).found(&GUARD);
            assert_eq!(found, [format!("{arn} {line}: its own policies do not allow it")]);
        }
        let Word::Found { says, hint, .. } = site(&[WRITES]).look(&GUARD) else { panic!() };
        insta::assert_snapshot!(format!("{says}\n{hint}"), @r#"
        a user or role of the bucket's account may read or write objects here, and may not use the central key
        add to their policies {"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"arn:aws:kms:us-east-1:999900001111:key/k","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}; name those that need no look in guards.ignored_principals
        "#);
    }

    #[test]
    fn finds_everyone_where_the_key_does_not_admit_the_account() {
        let sister = ORGANIZATION.replace("o-ours", "o-theirs");
        let site = Scene::with_policies(None, &sister).with_roles(&[("app", &[WRITES, ALL_KEYS])]);
        assert!(site.found(&GUARD)[0].ends_with("the key policy does not admit it"));
        let Word::Found { hint, .. } = site.look(&GUARD) else { panic!() };
        assert!(
            hint.starts_with(
                r#"add to the key policy {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"#
            ),
            "{hint}"
        );
    }

    #[test]
    fn finds_who_is_named_in_the_bucket_policy_and_not_who_is_denied_there() {
        let named = r#"{"Sid":"N","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/none"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;
        let by_condition = named.replace(r#"{"AWS":"arn:aws:iam::111122223333:role/none"}"#, r#""*""#).replace(
            r#""Resource""#,
            r#""Condition":{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/none"}},"Resource""#,
        );
        for policy in [named, &by_condition] {
            let found = Scene::with_policies(Some(policy), ORGANIZATION)
                .with_roles(&[("app", &[]), ("none", &[])])
                .found(&GUARD);
            assert_eq!(found.len(), 1);
            assert!(found[0].contains("role/none may write and read (the bucket policy, statement N)"), "{found:?}");
        }
        // What everyone may, nobody in particular is known to do.
        let everyone = named.replace(r#"{"AWS":"arn:aws:iam::111122223333:role/none"}"#, r#""*""#);
        assert_eq!(
            Scene::with_policies(Some(&everyone), ORGANIZATION).with_roles(&[("none", &[])]).look(&GUARD),
            Word::Clear
        );
        let only_admin = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}}"#;
        let site = Scene::with_policies(Some(only_admin), ORGANIZATION).with_roles(&[("app", &[WRITES])]);
        assert_eq!(site.look(&GUARD), Word::Clear);
    }

    #[test]
    fn finds_a_right_that_is_bound_to_other_objects_or_another_service() {
        let objects = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::b/*"}}}"#;
        let mut site = site(&[WRITES, objects]);
        assert_eq!(site.found(&GUARD).len(), 1);
        site.rule.bucket_key = None;
        assert_eq!(site.look(&GUARD), Word::Clear);
        let other = ALL_KEYS.replace(
            r#""*"}"#,
            r#""*","Condition":{"StringEquals":{"kms:ViaService":"sqs.us-east-1.amazonaws.com"}}}"#,
        );
        assert_eq!(
            Scene::with_policies(None, ORGANIZATION).with_roles(&[("app", &[READS, &other])]).found(&GUARD).len(),
            1
        );
    }

    #[test]
    fn finds_nothing_where_both_sides_allow() {
        assert_eq!(site(&[WRITES, READS, ALL_KEYS]).look(&GUARD), Word::Clear);
        assert_eq!(site(&[]).look(&GUARD), Word::Clear);
        let administrator = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
        let power_user = r#"{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}"#;
        for own in [administrator, power_user] {
            assert_eq!(site(&[own]).look(&GUARD), Word::Clear, "{own}");
        }
        let mut ignoring = site(&[WRITES]);
        ignoring.terms.ignored_principals = vec!["arn:aws:iam::*:role/app".into()];
        assert_eq!(ignoring.look(&GUARD), Word::Clear);
        let mut no_key = site(&[WRITES]);
        no_key.rule = crate::model::EncryptionRule::SSE_S3;
        assert_eq!(no_key.look(&GUARD), Word::Clear);
        let linked =
            Scene::with_policies(None, ORGANIZATION).with_roles(&[("aws-service-role/x.amazonaws.com/s", &[WRITES])]);
        assert_eq!(linked.look(&GUARD), Word::Clear);
    }

    #[test]
    fn in_the_keys_own_account_its_policy_may_leave_it_to_the_account_or_name_a_role() {
        let root = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:root"},"Action":"kms:*","Resource":"*"}"#;
        let named = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:role/app"},"Action":"kms:*","Resource":"*"}"#;
        for (key_policy, own, finds) in
            [(root, vec![WRITES], true), (root, vec![WRITES, ALL_KEYS], false), (named, vec![WRITES], false)]
        {
            let mut site = Scene::with_policies(None, key_policy);
            site.bucket.account = KEY_ACCOUNT.into();
            let site = site.with_roles(&[("app", &own)]);
            assert_eq!(site.look(&GUARD) != Word::Clear, finds, "{key_policy} {own:?}");
        }
    }

    #[test]
    fn cannot_tell_what_was_not_read_or_is_not_understood() {
        let tagged = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}}"#;
        let why = site(&[WRITES, tagged]).untold(&GUARD);
        assert!(why[0].contains("kms:GenerateDataKey: policy team: a statement without Sid: its condition StringEquals on aws:principaltag/team"), "{why:?}");
        let mut dark = site(&[WRITES]);
        dark.account.identities = denied("GetAccountAuthorizationDetails", "allow it");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetAccountAuthorizationDetails: Access Denied"]);
        let mut dark = site(&[WRITES]);
        dark.key.policy = None;
        assert_eq!(dark.untold(&GUARD), ["GetKeyPolicy was not called"]);
        let mut dark = site(&[WRITES]);
        dark.evidence.policy = Some(Ok(Some("{}".into())));
        assert_eq!(dark.untold(&GUARD), ["the bucket policy is not understood: it has no Statement"]);
    }

    #[test]
    fn shows_the_first_twenty() {
        let names: Vec<String> = (0..30).map(|number| format!("app{number}")).collect();
        let roles: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), [WRITES].as_slice())).collect();
        let found = Scene::with_policies(None, ORGANIZATION).with_roles(&roles).found(&GUARD);
        assert_eq!((found.len(), found[20].as_str()), (21, "and 10 more"));
    }

    #[test]
    fn of_many_principals_those_who_have_to_do_with_the_bucket_are_found() {
        let scoped = |number: usize| {
            format!(
                r#"{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-{number}/*"}}"#
            )
        };
        let principals = (0..100).map(|number| Identity {
            arn: format!("arn:aws:iam::{OWN}:role/app{number}"),
            policies: vec![
                ("own".to_owned(), policy(&scoped(number % 50)).into()),
                ("reader".to_owned(), policy(if number % 20 == 0 { READS } else { ALL_KEYS }).into()),
            ],
            ..Identity::default()
        });
        let mut scene = Scene::with_policies(None, ORGANIZATION);
        scene.account.identities = Some(Ok(Arc::new(Identities { principals: principals.collect() })));
        assert_eq!(scene.found(&GUARD).len(), 5, "those who read b/logs");
        for (number, found) in [(0, 1), (1, 0), (20, 1), (40, 1), (51, 0)] {
            scene.bucket.name = format!("bucket-{number}");
            let seen = match scene.look(&GUARD) {
                Word::Found { evidence, .. } => evidence.len(),
                word => usize::from(word != Word::Clear),
            };
            assert_eq!(seen, found, "bucket-{number}");
        }
    }
}
