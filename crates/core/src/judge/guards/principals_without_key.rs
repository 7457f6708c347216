//! `principals-without-key`: who works with the bucket from its own account, and may not use the central key.

use std::collections::BTreeMap;

use super::access::{self, DECRYPT, GENERATE, READS, WRITE};
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
    /// Not sure: whether the principal comes in at all cannot be told.
    Lacks {
        line: String,
        admitted: bool,
        is_sure: bool,
    },
    Unclear(String),
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()? else { return Ok(Word::Clear) };
    let holders = at.holders()?;
    let sides = Sides { at, bucket: at.bucket_policy()?, key, key_policy: at.key_policy()? };
    let (mut seen, mut all_admitted, mut doors) = (Seen::default(), true, Doors::default());
    for holder in holders.concerned(&at.bucket.name, &access::objects(at), sides.bucket) {
        if holder.arn.contains(SERVICE_LINKED) || at.ignores(&holder.arn) {
            continue;
        }
        match sides.look_at(holder, &mut doors) {
            Some(Said::Lacks { line, admitted, is_sure }) => {
                all_admitted &= admitted;
                if is_sure { seen.saw(line) } else { seen.unsure(line) }
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
    doors.lines().for_each(|line| seen.note(line));
    Ok(seen.word(&says, &sides.hint(all_admitted, !doors.0.is_empty())))
}

/// The statements of the bucket's policy that let everyone in, as far as somebody who comes by them has not all that it needs;
/// with why it cannot be told of anyone, where it cannot.
#[derive(Default)]
struct Doors(BTreeMap<String, Option<String>>);

impl Doors {
    fn note(&mut self, right: &Right) {
        let Some(statement) = &right.as_one_of_all else { return };
        let why = match &right.answer {
            Answer::CannotTell(why) => Some(why.clone()),
            _ => None,
        };
        let known = self.0.entry(statement.clone()).or_insert_with(|| why.clone());
        if why.is_none() {
            *known = None;
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(statement, why)| match why {
            None => format!("the bucket policy lets everyone of the account in ({statement})"),
            Some(why) => {
                let why = why.strip_prefix(statement.as_str()).and_then(|why| why.strip_prefix(": ")).unwrap_or(why);
                format!("the bucket policy perhaps lets everyone of the account in ({statement}): {why}")
            }
        })
    }
}

impl Sides<'_> {
    fn look_at(&self, holder: &Holder, doors: &mut Doors) -> Option<Said> {
        let writes = self.right(holder, WRITE);
        let mut reads = self.right(holder, READS[0]);
        if reads.answer != Answer::Yes {
            reads = reads.or(self.right(holder, READS[1]));
        }
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
        if lacks.is_empty() && why.is_none() {
            return None;
        }
        [&writes, &reads].into_iter().for_each(|right| doors.note(right));
        let does = describe(&writes, &reads);
        if !lacks.is_empty() {
            let side = if admitted { "its own policies do not allow it" } else { "the key policy does not admit it" };
            let note = match (may_write, lacks.as_slice()) {
                (true, [DECRYPT]) => ", which multipart uploads need",
                _ => "",
            };
            let line = format!("{} {does}, and lacks {}{note}: {side}", holder.arn, lacks.join(" and "));
            // What everyone may under conditions says of nobody in particular that they come in.
            let comes = |right: &Right| match right.answer {
                Answer::Yes => true,
                Answer::CannotTell(_) => right.as_one_of_all.is_none(),
                Answer::No => false,
            };
            let is_sure = comes(&writes) || comes(&reads) && lacks.contains(&DECRYPT);
            return Some(Said::Lacks { line, admitted, is_sure });
        }
        why.map(|why| Said::Unclear(format!("{} {does}; {why}", holder.arn)))
    }

    /// Whether a principal may do something to some of the bucket's objects.
    fn right(&self, holder: &Holder, action: &str) -> Right {
        let request = holder.request(&self.at.organization.id, action, access::objects(self.at));
        holder.may_in_own_bucket(self.bucket, &access::of_bucket(request, self.at))
    }

    fn hint(&self, all_admitted: bool, lets_everyone_in: bool) -> String {
        let own = access::statement(self.at, &self.key, &[GENERATE, DECRYPT], None);
        let ignore = match lets_everyone_in {
            false => "name those that need no look in guards.ignored_principals",
            true => {
                "or let the bucket policy name those that use the bucket instead of everyone; name those that need no look in \
                 guards.ignored_principals"
            }
        };
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
        let only_admin = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}}"#;
        let site = Scene::with_policies(Some(only_admin), ORGANIZATION).with_roles(&[("app", &[WRITES])]);
        assert_eq!(site.look(&GUARD), Word::Clear);
    }

    /// A bucket whose policy lets in whom this says; `keyed` holds the key, `none` nothing.
    fn open(principal: &str, condition: &str) -> Scene {
        let statement = format!(
            r#"{{"Sid":"E","Effect":"Allow",{principal},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{{{condition}}}}}"#
        );
        Scene::with_policies(Some(&statement), ORGANIZATION).with_roles(&[("keyed", &[ALL_KEYS]), ("none", &[])])
    }

    const NONE: &str = "arn:aws:iam::111122223333:role/none may write and read (the bucket policy, statement E), and lacks kms:GenerateDataKey and kms:Decrypt: its own policies do not allow it";

    #[test]
    fn finds_whom_the_bucket_policy_lets_in_as_one_of_all() {
        let all = r#""Principal":"*""#;
        for (principal, condition) in [
            (all, ""),
            (r#""Principal":{"AWS":"*"}"#, ""),
            (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/keyed"}"#, ""),
            (all, r#""StringEquals":{"aws:PrincipalOrgID":"o-ours"}"#),
            (all, r#""StringEquals":{"aws:PrincipalAccount":"111122223333"}"#),
            (all, r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/*"}"#),
            (all, r#""StringEquals":{"aws:ResourceAccount":"111122223333"}"#),
            (all, r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"},"Bool":{"aws:SecureTransport":"true"}"#),
        ] {
            let found = open(principal, condition).found(&GUARD);
            let door = "the bucket policy lets everyone of the account in (statement E)";
            assert_eq!(found, [door, NONE], "{principal} {condition}");
        }
        // Its condition names whom it is for.
        for arn in ["arn:aws:iam::*:role/none", "arn:aws:iam::111122223333:role/n*"] {
            let condition = format!(r#""ArnLike":{{"aws:PrincipalArn":"{arn}"}}"#);
            assert_eq!(open(all, &condition).found(&GUARD), [NONE], "{arn}");
        }
        let mut users = open(all, r#""StringEquals":{"aws:username":"ann"}"#);
        let user = |name: &str| Identity { arn: format!("arn:aws:iam::{OWN}:user/team/{name}"), ..Identity::default() };
        users.account.identities = Some(Ok(Arc::new(Identities { principals: vec![user("ann"), user("bob")] })));
        assert!(matches!(users.found(&GUARD).as_slice(), [one] if one.contains("user/team/ann may write and read")));
        let hint = open(all, "").advice(&GUARD);
        assert!(hint.contains("name those that use the bucket instead of everyone"), "{hint}");
    }

    #[test]
    fn no_boundary_holds_back_what_is_allowed_to_everyone_but_a_deny_does() {
        let mut site = open(r#""Principal":"*""#, "");
        let with = |boundary: Option<&str>, own: &str| {
            let none = Identity {
                arn: format!("arn:aws:iam::{OWN}:role/none"),
                policies: vec![("own".to_owned(), policy(own).into())],
                boundary: boundary.map(|text| policy(text).into()),
                ..Identity::default()
            };
            Some(Ok(Arc::new(Identities { principals: vec![none] })))
        };
        site.account.identities = with(Some(ALL_KEYS), ELSEWHERE);
        assert_eq!(site.found(&GUARD).len(), 2);
        let denies = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#;
        site.account.identities = with(None, denies);
        assert_eq!(site.look(&GUARD), Word::Clear);
        site.account.identities = with(Some(denies), ELSEWHERE);
        assert_eq!(site.look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_of_whom_the_bucket_policy_lets_in_under_conditions_on_the_request() {
        for condition in [
            r#""StringEquals":{"aws:PrincipalTag/team":"x"}"#,
            r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#,
            r#""StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}"#,
            r#""StringEquals":{"s3:DataAccessPointAccount":"111122223333"}"#,
            r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/r-1/ou-1/*"}"#,
        ] {
            let untold = open(r#""Principal":"*""#, condition).untold(&GUARD);
            assert_eq!(untold.len(), 2, "{untold:?}");
            let door = "the bucket policy perhaps lets everyone of the account in (statement E): its condition";
            assert!(untold[0].starts_with(door), "{untold:?}");
            assert!(untold[1].contains("role/none may perhaps, under conditions, write and read"), "{untold:?}");
        }
        // Surely reads, and has what that needs; perhaps writes, and has not.
        let statement = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
        let decrypts = ALL_KEYS.replace("kms:*", "kms:Decrypt");
        let reader = Scene::with_policies(Some(statement), ORGANIZATION).with_roles(&[("r", &[READS, &decrypts])]);
        assert_eq!(reader.untold(&GUARD).len(), 2);
        let reader = Scene::with_policies(Some(statement), ORGANIZATION).with_roles(&[("r", &[READS])]);
        assert_eq!(reader.found(&GUARD).len(), 2, "it lacks what it surely needs");
    }

    #[test]
    fn finds_nobody_whom_everyone_does_not_hold_or_who_has_the_key() {
        for condition in [
            r#""StringEquals":{"aws:PrincipalOrgID":"o-theirs"}"#,
            r#""StringEquals":{"aws:PrincipalAccount":"777788889999"}"#,
            r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-theirs/*"}"#,
            r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/keyed"}"#,
            r#""StringEquals":{"aws:username":"none"}"#,
            r#""StringEquals":{"aws:SourceAccount":"111122223333"}"#,
            r#""Bool":{"aws:PrincipalIsAWSService":"true"}"#,
            r#""StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}"#,
        ] {
            assert_eq!(open(r#""Principal":"*""#, condition).look(&GUARD), Word::Clear, "{condition}");
        }
        let mut ignoring = open(r#""Principal":"*""#, "");
        ignoring.terms.ignored_principals = vec!["arn:aws:iam::*:role/none".into()];
        assert_eq!(ignoring.look(&GUARD), Word::Clear);
        let lists = r#"{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}"#;
        let site = Scene::with_policies(Some(lists), ORGANIZATION).with_roles(&[("none", &[])]);
        assert_eq!(site.look(&GUARD), Word::Clear);
    }

    #[test]
    fn who_reads_versions_alone_reads() {
        let versions = READS.replace("s3:GetObject", "s3:GetObjectVersion");
        let found = site(&[&versions]).found(&GUARD);
        assert!(found[0].contains("may read (policy team, statement R), and lacks kms:Decrypt"), "{found:?}");
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
        let all = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#;
        let roles: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), [].as_slice())).collect();
        let found = Scene::with_policies(Some(all), ORGANIZATION).with_roles(&roles).found(&GUARD);
        assert_eq!((found.len(), found[21].as_str()), (22, "and 10 more"));
        assert_eq!(found[0], "the bucket policy lets everyone of the account in (statement E)");
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
