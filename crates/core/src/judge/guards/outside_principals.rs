//! `outside-principals`: who reads or writes the bucket from other accounts, and is not known to hold rights on the key.

use super::access::{self, DECRYPT, GENERATE, READ, READS, WRITE, account_of};
use super::access_points::{is_bound_to_access_points, is_of_access_points};
use super::delivery_accounts::is_delivery_account;
use super::seen::Seen;
use super::services::services;
use super::sight::{Dark, Sight};
use super::unsigned::is_open_to_unsigned;
use super::{Guard, Need, Word};
use crate::judge::policy::{Answer, Known, Policy, Principal, Principals, Request, Statement, Text};
use crate::judge::{OBJECT_ACTIONS, ObjectAction};
use crate::model::KeyArn;

/// Across accounts both the key policy and the caller's own policies must allow; the latter are not seen from here. Who is
/// public, comes through an access point or CloudFront's old identity, delivers a load balancer's logs, or is a service, other
/// guards look at.
pub(super) struct OutsidePrincipals;

impl Guard for OutsidePrincipals {
    fn name(&self) -> &'static str {
        "outside-principals"
    }

    fn keeps_from(&self) -> &'static str {
        "readers and writers in other accounts without permissions on the central key lose access"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

/// Whom a statement for everyone is for, by its conditions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Narrowed<'a> {
    /// These accounts, each with the account or ARN that the conditions name.
    Named(Vec<(&'a str, &'a str)>),
    /// These patterns of principals, of whatever account.
    OfAnyAccount(Vec<&'a str>),
    /// The members of this organization.
    Organization,
    /// The members of others.
    OtherOrganizations(Vec<&'a str>),
    /// Anyone, by no condition that tells who: a public statement, or one of networks, access points or services.
    Elsewhere,
    /// Under conditions that do not tell.
    Untold,
}

/// Keys of conditions which leave a statement public.
const SAYS_NOT_WHO: [&str; 4] = ["aws:securetransport", "s3:tlsversion", "s3:signatureversion", "s3:authtype"];

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()? else { return Ok(Word::Clear) };
    let Some(bucket) = at.bucket_policy()? else { return Ok(Word::Clear) };
    let mut look = Look { at, key, seen: Seen::default(), lacking: Vec::new(), is_wide: false };
    for statement in bucket.allows() {
        let Some(grant) = Grant::of(statement, at) else { continue };
        match &statement.principals {
            Principals::Are(principals) => principals.iter().for_each(|principal| look.principal(&grant, principal)),
            Principals::AllBut(_) => look.everyone(&grant),
            Principals::Bearer => {}
        }
    }
    let mut hint = format!(
        "allow these principals in the key policy, and allow {} in their own accounts; then add the accounts to \
         guards.trusted_accounts, or the principals to guards.ignored_principals",
        access::statement(
            at,
            &look.key,
            if look.lacking.is_empty() { &[GENERATE, DECRYPT] } else { &look.lacking },
            None
        )
    );
    if look.is_wide {
        hint.push_str(
            "; where a statement allows a whole organization, restrict it to the accounts that use the bucket; or, once those \
             accounts can use the key, override this guard for the bucket in guards.overrides with a reason",
        );
    }
    Ok(look.seen.word(
        "other accounts can read or write objects in this bucket; could not determine whether they can use the central key",
        &hint,
    ))
}

/// A statement that lets somebody have objects, and what they need of the key.
struct Grant<'a> {
    statement: &'a Statement,
    verbs: String,
    needs: Vec<&'static str>,
}

impl<'a> Grant<'a> {
    /// `None` where the statement is about no objects of the bucket.
    fn of(statement: &'a Statement, at: &Sight<'_>) -> Option<Grant<'a>> {
        let does = |action: &str| access::covers_objects(statement, action, at);
        let (reads, writes) = (READS.into_iter().any(does), does(WRITE));
        let grant = |verbs: &str, needs: &[&'static str]| {
            Some(Grant { statement, verbs: verbs.to_owned(), needs: needs.to_vec() })
        };
        match (reads, writes) {
            (true, true) => return grant("read and write", &[GENERATE, DECRYPT]),
            (false, true) => return grant("write", &[GENERATE, DECRYPT]),
            (true, false) => return grant("read", &[DECRYPT]),
            (false, false) => {}
        }
        // Such as a replication role of another account.
        let others: Vec<&'static ObjectAction> = OBJECT_ACTIONS.iter().filter(|other| does(&other.action)).collect();
        let mut verbs: Vec<&str> = others.iter().map(|other| other.does.as_str()).collect();
        verbs.dedup();
        let mut needs: Vec<&'static str> = Vec::new();
        for need in others.iter().flat_map(|other| &other.needs) {
            if !needs.contains(&need.as_str()) {
                needs.push(need);
            }
        }
        if others.is_empty() { None } else { grant(&verbs.join(" and "), &needs) }
    }

    fn to(&self, who: &str) -> String {
        format!("the bucket policy, {}: {who} may {}", self.statement.called(), self.verbs)
    }
}

struct Look<'a> {
    at: &'a Sight<'a>,
    key: KeyArn,
    seen: Seen,
    /// The KMS actions that those who were found need.
    lacking: Vec<&'static str>,
    /// A statement lets in more accounts than can be named.
    is_wide: bool,
}

impl Look<'_> {
    /// Notes who is let in, and what they need of the key.
    fn saw(&mut self, grant: &Grant<'_>, what: String) {
        self.lacking
            .extend(grant.needs.iter().filter(|need| !self.lacking.contains(need)).copied().collect::<Vec<_>>());
        self.seen.saw(what);
    }

    fn principal(&mut self, grant: &Grant<'_>, principal: &Principal) {
        match principal {
            Principal::Everyone => self.everyone(grant),
            // Without an account it is a principal that was deleted, or an origin access identity.
            Principal::Aws(text) => {
                if let Some(account) = principal.account() {
                    self.named(grant, account, text);
                }
            }
            Principal::Federated(provider) => {
                self.seen.unsure(grant.to(&format!("principals federated through {provider}")));
            }
            // `origin-access-identity` tells of whoever is not the owner, guards on services of the services.
            Principal::CanonicalUser(_) | Principal::Service(_) => {}
        }
    }

    /// An account, or a principal of it, that is named.
    fn named(&mut self, grant: &Grant<'_>, account: &str, who: &str) {
        // `log-destinations` and `load-balancer-log-target` tell of AWS's own accounts.
        if is_delivery_account(account) || self.at.is_known(account, who) {
            return;
        }
        let inside = self.at.organization.accounts.contains(account);
        let organization = match inside {
            true => Known::Values(vec![self.at.organization.id.as_str().into()]),
            false => Known::Unknown,
        };
        let is_account = !who.starts_with("arn:") || who.ends_with(":root");
        let request = |action: &str| {
            let request = Request::of(who, account, action, access::objects(self.at))
                .with("aws:PrincipalOrgID", organization.clone());
            match is_account {
                true => request.with_value(
                    "aws:PrincipalArn",
                    Text::Beginning(format!("arn:{}:iam::{account}:", self.at.partition)),
                ),
                false => request,
            }
        };
        if grant.statement.conditions_hold(&access::of_bucket(request(READ), self.at)) == Answer::No {
            return;
        }
        if !inside {
            self.saw(grant, format!("{}, from outside the organization", grant.to(who)));
            return;
        }
        let so = match self.admitted(grant, request) {
            Some(Answer::No) => ", and the key policy does not allow it".to_owned(),
            Some(Answer::Yes) => "; the key policy allows it; its own policies could not be read".to_owned(),
            Some(Answer::CannotTell(why)) => {
                format!(
                    "; its own policies could not be read; could not determine whether the key policy allows it: {why}"
                )
            }
            None => "; its own policies could not be read".to_owned(),
        };
        self.saw(grant, format!("{}{so}", grant.to(who)));
    }

    fn everyone(&mut self, grant: &Grant<'_>) {
        match narrowed(grant.statement, self.at) {
            // `access-points` looks at who comes in there.
            Narrowed::Organization | Narrowed::OfAnyAccount(_) if is_bound_to_access_points(grant.statement) => {}
            Narrowed::Named(named) => named.into_iter().for_each(|(account, who)| self.named(grant, account, who)),
            Narrowed::OfAnyAccount(patterns) => {
                for who in patterns.into_iter().filter(|who| !self.at.ignores(who)) {
                    self.is_wide = true;
                    let to = grant.to(&format!("{who}, in any account,"));
                    self.saw(grant, format!("{to}; could not determine whether they can use the central key"));
                }
            }
            Narrowed::Organization => self.organization(grant),
            Narrowed::OtherOrganizations(organizations) => {
                let who = format!("every account of {}", organizations.join(", "));
                self.saw(grant, format!("{}, from outside the organization", grant.to(&who)));
            }
            Narrowed::Elsewhere => {}
            Narrowed::Untold => {
                let keys: Vec<&str> =
                    grant.statement.conditions.iter().map(|condition| condition.key.as_str()).collect();
                let who = format!("everyone, under conditions on {}", keys.join(", "));
                self.seen.unsure(format!("{}; could not determine whom that allows", grant.to(&who)));
            }
        }
    }

    /// Every principal of the organization. Which it is, is not known, and need not be: none is known to have the key.
    fn organization(&mut self, grant: &Grant<'_>) {
        let organization = &self.at.organization;
        // An organization without an account is one that was not listed.
        let mut accounts = organization.accounts.iter();
        if accounts.len() > 0 && accounts.all(|account| self.at.is_known(account, account)) {
            return;
        }
        self.is_wide = true;
        let request = |action: &str| {
            ["aws:PrincipalArn", "aws:PrincipalAccount", "kms:CallerAccount"]
                .iter()
                .fold(Request::of("", "", action, "*".into()), |request, key| request.with(key, Known::Unknown))
                .with_value("aws:PrincipalOrgID", organization.id.as_str())
        };
        let who = match access::only_values(grant.statement, "aws:principalorgpaths") {
            paths if paths.is_empty() => format!("every principal of the organization ({})", organization.id),
            paths => format!("every principal of the organization under {}", paths.join(", ")),
        };
        let so = match self.admitted(grant, request) {
            Some(Answer::No) => ", and the key policy does not allow the organization".to_owned(),
            Some(Answer::Yes) => {
                "; the key policy allows them; could not determine whether their own policies allow them to use the key"
                    .to_owned()
            }
            Some(Answer::CannotTell(why)) => {
                format!(
                    "; their own policies could not be read; could not determine whether the key policy allows each of \
                         them: {why}"
                )
            }
            None => "; neither their own policies nor the key policy could be read".to_owned(),
        };
        self.saw(grant, format!("{}{so}", grant.to(&who)));
    }

    /// Whether the key policy admits a request for all that a grant needs; `None` where the key policy is not known.
    fn admitted(&mut self, grant: &Grant<'_>, request: impl Fn(&str) -> Request) -> Option<Answer> {
        let policy: &Policy = self.seen.known(self.at.key_policy())?;
        let of_key = |action: &&str| {
            let mut request = request(action);
            request.resource = Text::Exactly(self.key.to_string());
            policy.admission(&access::of_key(request, self.at, &self.key)).admitted()
        };
        Some(grant.needs.iter().map(of_key).fold(Answer::Yes, Answer::and))
    }
}

/// Whom a statement for everyone is for.
pub(super) fn narrowed<'a>(statement: &'a Statement, at: &'a Sight<'_>) -> Narrowed<'a> {
    let only = |key: &str| access::only_values(statement, key);
    // Whom the ARNs name says more than their accounts; a pattern may leave the account open.
    let arns: Vec<(&str, &str)> =
        only("aws:principalarn").into_iter().map(|arn| (account_of(arn).unwrap_or("*"), arn)).collect();
    let accounts = only("aws:principalaccount").into_iter().map(|account| (account, account)).collect();
    let is_told = |named: &Vec<(&str, &str)>| {
        !named.is_empty() && !named.iter().any(|(account, _)| account.is_empty() || account.contains('*'))
    };
    if let Some(named) = [&arns, &accounts].into_iter().find(|named| is_told(named)) {
        return Narrowed::Named(named.clone());
    }
    if ["${aws:resourceaccount}", "${s3:resourceaccount}"]
        .iter()
        .any(|variable| is_variable(statement, "aws:principalaccount", variable))
    {
        let own = at.bucket.account.as_str();
        return Narrowed::Named(vec![(own, own)]);
    }
    let paths = only("aws:principalorgpaths").into_iter().filter_map(|path| path.split('/').next());
    let organizations: Vec<&str> = only("aws:principalorgid").into_iter().chain(paths).collect();
    if is_variable(statement, "aws:principalorgid", "${aws:resourceorgid}") {
        return Narrowed::Organization;
    }
    if !organizations.is_empty() {
        return match organizations.iter().all(|of| *of == at.organization.id) {
            true => Narrowed::Organization,
            false => Narrowed::OtherOrganizations(organizations),
        };
    }
    if !arns.is_empty() {
        return Narrowed::OfAnyAccount(arns.into_iter().map(|(_, arn)| arn).collect());
    }
    let is_public = statement.conditions.iter().all(|condition| SAYS_NOT_WHO.contains(&condition.key.as_str()));
    let is_elsewhere = is_public
        || is_left_to_public_access(statement, at)
        || statement.conditions.iter().any(is_of_access_points)
        || services(statement).next().is_some();
    if is_elsewhere { Narrowed::Elsewhere } else { Narrowed::Untold }
}

/// Whether `public-access` holds the bucket for the callers of a statement. Where it is overridden, or the bucket policy denies unsigned
/// requests, those who sign are left, and may be of any account.
fn is_left_to_public_access(statement: &Statement, at: &Sight<'_>) -> bool {
    let is_open = |policy: &Policy| is_open_to_unsigned(policy, statement, at);
    at.public_access_holds && at.bucket_policy().is_ok_and(|policy| policy.is_some_and(is_open))
}

/// Whether a condition asks that a key be what a policy variable, given in lower case, stands for.
fn is_variable(statement: &Statement, key: &str, variable: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.key == key
            && matches!(condition.operator.to_ascii_lowercase().as_str(), "stringequals" | "stringlike")
            && condition.values.iter().all(|value| value.eq_ignore_ascii_case(variable))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    const GUARD: OutsidePrincipals = OutsidePrincipals;

    fn reads(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Sid":"P","Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}"#
        )
    }

    fn site(principal: &str, condition: &str) -> Scene {
        Scene::with_policies(Some(&reads(principal, condition)), ORGANIZATION)
    }

    const OUR_ORG: &str = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
    const ALL: &str = r#""*""#;

    #[test]
    fn a_replication_role_of_another_account_needs_to_encrypt_and_a_reader_to_decrypt_alone() {
        let role = r#"{"AWS":"arn:aws:iam::777788889999:role/copy"}"#;
        let to = reads(role, "").replace(r#""s3:GetObject""#, r#"["s3:ReplicateObject","s3:ReplicateDelete"]"#);
        let replicates = Scene::with_policies(Some(&to), ORGANIZATION);
        let found = replicates.found(&GUARD);
        assert!(found[0].contains("role/copy may replicate objects to this bucket"), "{found:?}");
        assert!(replicates.advice(&GUARD).contains(r#""Action":["kms:Encrypt"]"#));
        assert!(site(role, "").advice(&GUARD).contains(r#""Action":["kms:Decrypt"]"#));
    }

    #[test]
    fn finds_who_is_outside_or_of_another_account_without_proof() {
        let theirs = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#;
        let by_account = r#","Condition":{"StringEquals":{"aws:PrincipalAccount":["777788889999","111122223333"]}}"#;
        let by_arn = r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/*"}}"#;
        for (principal, condition, line) in [
            (
                r#"{"AWS":"arn:aws:iam::777788889999:root"}"#,
                "",
                "arn:aws:iam::777788889999:root may read, from outside the organization",
            ),
            (r#"{"AWS":["777788889999"]}"#, "", "777788889999 may read, from outside the organization"),
            (
                r#"{"AWS":"arn:aws:iam::444455556666:role/x"}"#,
                "",
                "arn:aws:iam::444455556666:role/x may read; the key policy allows it; its own policies could not be read",
            ),
            (ALL, theirs, "every account of o-theirs may read, from outside the organization"),
            (ALL, by_account, "777788889999 may read, from outside the organization"),
            (
                ALL,
                by_arn,
                "arn:aws:iam::444455556666:role/* may read; the key policy allows it; its own policies could not be read",
            ),
        ] {
            let found = site(principal, condition).found(&GUARD);
            assert_eq!(found, [format!("the bucket policy, statement P: {line}")], "{principal} {condition}");
        }
    }

    #[test]
    fn finds_accounts_of_the_organization_that_the_key_does_not_admit() {
        let nobody = ORGANIZATION.replace("o-ours", "o-theirs");
        let found = Scene::with_policies(Some(&reads(ALL, OUR_ORG)), &nobody).found(&GUARD);
        assert_eq!(
            found,
            [
                "the bucket policy, statement P: every principal of the organization (o-ours) may read, and the key policy does \
                 not allow the organization"
            ]
        );
        let found = Scene::with_policies(Some(&reads(r#"{"AWS":"444455556666"}"#, "")), &nobody).found(&GUARD);
        assert!(found[0].ends_with("and the key policy does not allow it"), "{found:?}");
        let read_only = ORGANIZATION.replace(r#","kms:GenerateDataKey""#, "");
        let writes = reads(ALL, OUR_ORG).replace("s3:GetObject", "s3:*");
        let ends = "may read and write, and the key policy does not allow the organization";
        assert!(Scene::with_policies(Some(&writes), &read_only).found(&GUARD)[0].ends_with(ends));
    }

    #[test]
    fn finds_everyone_of_the_organization_though_the_key_admits_them() {
        let cannot_be_seen =
            "the key policy allows them; could not determine whether their own policies allow them to use the key";
        let paths = r#","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/r-1/*"}}"#;
        let variable = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"${aws:ResourceOrgID}"}}"#;
        let but =
            r#","Condition":{"Null":{"s3:DataAccessPointArn":"true"},"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
        let role = r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"},"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
        for (condition, who) in [
            (OUR_ORG, "every principal of the organization (o-ours)"),
            (variable, "every principal of the organization (o-ours)"),
            (but, "every principal of the organization (o-ours)"),
            (role, "every principal of the organization (o-ours)"),
            (paths, "every principal of the organization under o-ours/r-1/*"),
        ] {
            let found = site(ALL, condition).found(&GUARD);
            assert_eq!(found, [format!("the bucket policy, statement P: {who} may read; {cannot_be_seen}")]);
        }
        let but_one = reads(ALL, OUR_ORG).replace(r#""Principal":"*""#, r#""NotPrincipal":{"AWS":"777788889999"}"#);
        assert_eq!(Scene::with_policies(Some(&but_one), ORGANIZATION).found(&GUARD).len(), 1);
        let hint = site(ALL, OUR_ORG).advice(&GUARD);
        assert!(hint.ends_with("override this guard for the bucket in guards.overrides with a reason"), "{hint}");
        assert!(!site(r#"{"AWS":"777788889999"}"#, "").advice(&GUARD).contains("overrides"));
        let mut trusting = site(ALL, OUR_ORG);
        trusting.terms.trusted_accounts = [SISTER, KEY_ACCOUNT].map(str::to_owned).into();
        assert_eq!(trusting.look(&GUARD), Word::Clear, "all the others are trusted");
        trusting.organization.accounts.clear();
        assert_eq!(trusting.found(&GUARD).len(), 1, "which accounts there are is not known");
    }

    #[test]
    fn finds_patterns_of_principals_of_whatever_account() {
        let by_arn = r#","Condition":{"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/x","arn:aws:iam::111122223333:role/y"]}}"#;
        let found = site(ALL, by_arn).found(&GUARD);
        assert_eq!(
            found[0],
            "the bucket policy, statement P: arn:aws:iam::*:role/x, in any account, may read; could not determine whether they can use the central key"
        );
        let own = by_arn.replace("}}", r#"},"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#);
        assert_eq!(site(ALL, &own).look(&GUARD), Word::Clear);
        let mut ignoring = site(ALL, by_arn);
        ignoring.terms.ignored_principals = vec!["*:role/x".into(), "*:role/y".into()];
        assert_eq!(ignoring.look(&GUARD), Word::Clear);
    }

    #[test]
    fn finds_nothing_inside_among_the_trusted_and_what_others_look_at() {
        let access_point = r#","Condition":{"StringEquals":{"s3:DataAccessPointAccount":"111122223333"}}"#;
        let of_our_org = access_point.replace("}}", r#","aws:PrincipalOrgID":"o-ours"}}"#);
        for (principal, condition) in [
            (r#"{"AWS":"arn:aws:iam::111122223333:role/x"}"#, ""),
            (r#"{"AWS":"111122223333"}"#, ""),
            (r#"{"AWS":"AIDAGONE"}"#, ""),
            (r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}"#, ""),
            (r#"{"Service":"cloudtrail.amazonaws.com"}"#, ""),
            (r#"{"AWS":"444455556666"}"#, r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#),
            (ALL, ""),
            (ALL, access_point),
            (ALL, &of_our_org),
            (
                ALL,
                r#","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333","aws:PrincipalOrgID":"o-ours"}}"#,
            ),
            (ALL, r#","Condition":{"StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}}"#),
            (ALL, r#","Condition":{"StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}"#),
            (ALL, r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}}"#),
        ] {
            assert_eq!(site(principal, condition).look(&GUARD), Word::Clear, "{principal} {condition}");
        }
        let mut trusting = site(r#"{"AWS":["777788889999","arn:aws:iam::444455556666:role/break-glass"]}"#, "");
        trusting.terms.trusted_accounts = ["777788889999".to_owned()].into();
        trusting.terms.ignored_principals = vec!["arn:aws:iam::*:role/break-glass".into()];
        assert_eq!(trusting.look(&GUARD), Word::Clear);
        let listing = reads(r#"{"AWS":"777788889999"}"#, "").replace("s3:GetObject", "s3:ListBucket");
        assert_eq!(Scene::with_policies(Some(&listing), ORGANIZATION).look(&GUARD), Word::Clear);
        assert_eq!(Scene::with_policies(None, ORGANIZATION).look(&GUARD), Word::Clear);
    }

    #[test]
    fn leaves_load_balancers_and_canonical_users_to_their_guards() {
        for principal in
            [r#"{"AWS":"arn:aws:iam::127311923021:root"}"#, r#"{"AWS":"127311923021"}"#, r#"{"CanonicalUser":"abc"}"#]
        {
            let writes = reads(principal, "").replace("s3:GetObject", "s3:PutObject");
            assert_eq!(Scene::with_policies(Some(&writes), ORGANIZATION).look(&GUARD), Word::Clear, "{principal}");
        }
        // Nobody can give such an account the key, whatever it does.
        assert_eq!(site(r#"{"AWS":"127311923021"}"#, "").look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_whom_other_conditions_let_in() {
        let endpoint = r#","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#;
        assert_eq!(
            site(ALL, endpoint).look(&GUARD),
            Word::Clear,
            "`public-access` tells of whoever comes by network alone"
        );
        for condition in [
            r#"{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#,
            r#"{"StringNotEquals":{"aws:PrincipalServiceName":"x.amazonaws.com"}}"#,
            r#"{"StringEqualsIfExists":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}}"#,
            r#"{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#,
            r#"{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
        ] {
            let site = site(ALL, &format!(r#","Condition":{condition}"#));
            assert!(site.untold(&GUARD)[0].contains("everyone, under conditions on"), "{condition}");
        }
        let perhaps = r#","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-ours"}}"#;
        assert_eq!(site(ALL, perhaps).untold(&GUARD).len(), 1);
        assert_eq!(site(r#"{"Federated":"accounts.google.com"}"#, "").untold(&GUARD).len(), 1);
        let mut dark = site(ALL, OUR_ORG);
        dark.key.policy = denied("GetKeyPolicy", "allow it");
        let found = dark.found(&GUARD);
        assert!(found[0].ends_with("neither their own policies nor the key policy could be read"), "{found:?}");
        assert_eq!(found[1], "AccessDenied: GetKeyPolicy: Access Denied");
        let mut dark = site(ALL, OUR_ORG);
        dark.evidence.policy = denied("GetBucketPolicy", "allow it");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetBucketPolicy: Access Denied"]);
    }
}
