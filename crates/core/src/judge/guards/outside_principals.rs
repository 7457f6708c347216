//! `outside-principals`: who reads or writes the bucket from other accounts, and is not known to hold rights on the key.

use super::access::{self, DECRYPT, GENERATE, READ, WRITE};
use super::load_balancer_log_target::ACCOUNTS;
use super::services::SERVICE_NAME;
use super::{Guard, Need, Subject, Word};
use crate::judge::policy::{Answer, Known, Policy, Principal, Principals, Request, Statement, Text, matches};
use crate::model::KeyArn;

/// Across accounts both the key policy and the caller's own policies must allow; the latter are not seen from here. Who is
/// public, comes through an access point or CloudFront's old identity, is a service, or writes load balancer logs, other guards
/// look at.
pub(super) struct OutsidePrincipals;

impl Guard for OutsidePrincipals {
    fn name(&self) -> &'static str {
        "outside-principals"
    }

    fn keeps_from(&self) -> &'static str {
        "readers and writers in other accounts without rights on the key are refused"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        look(at).unwrap_or_else(|word| word)
    }
}

/// Whom a statement for everyone is for, by its conditions.
#[derive(Debug, PartialEq, Eq)]
enum Narrowed<'a> {
    /// These accounts, each with the account or ARN that the conditions name.
    Named(Vec<(&'a str, &'a str)>),
    /// The members of this organization.
    Organization,
    /// The members of others.
    OtherOrganizations(Vec<&'a str>),
    /// Anyone, by no condition that tells who: a public statement, or one of access points or services.
    Elsewhere,
    /// Under conditions that do not tell.
    Untold,
}

/// Keys that bind a statement to access points.
const ACCESS_POINT: [&str; 3] = ["s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:accesspointnetworkorigin"];
/// Keys of conditions which leave a statement public.
const SAYS_NOT_WHO: [&str; 4] = ["aws:securetransport", "s3:tlsversion", "s3:signatureversion", "s3:authtype"];

fn look(at: &Subject<'_>) -> Result<Word, Word> {
    let Some(key) = access::key(at)? else { return Ok(Word::Clear) };
    let Some(bucket) = access::bucket_policy(at)? else { return Ok(Word::Clear) };
    let mut seen = Seen { at, key, key_policy: access::key_policy(at), found: Vec::new(), unclear: Vec::new() };
    for statement in bucket.allows() {
        let actions = [WRITE, READ].map(|action| access::covers_objects(statement, action, at));
        let (verbs, needs): (&str, &[&str]) = match actions {
            [false, false] => continue,
            [true, true] => ("read and write", &[GENERATE, DECRYPT]),
            [true, false] => ("write", &[GENERATE, DECRYPT]),
            [false, true] => ("read", &[DECRYPT]),
        };
        let grant = Grant { statement, verbs, needs };
        match &statement.principals {
            Principals::Are(principals) => principals.iter().for_each(|principal| seen.principal(&grant, principal)),
            Principals::AllBut(_) => seen.everyone(&grant),
            Principals::Bearer => {}
        }
    }
    let Seen { key, found, unclear, .. } = seen;
    let says =
        |_| "principals in other accounts read or write the bucket without proof of access to the key".to_owned();
    let hint = format!(
        "let the key policy admit them and their own accounts allow {}; then name the accounts in guards.trusted_accounts, or \
         principals in guards.ignored_principals",
        access::statement(at, &key, &[GENERATE, DECRYPT], None)
    );
    Ok(access::word(found, unclear, says, hint))
}

/// A statement that lets somebody have objects, and what they need of the key.
struct Grant<'a> {
    statement: &'a Statement,
    verbs: &'static str,
    needs: &'static [&'static str],
}

impl Grant<'_> {
    fn to(&self, who: &str) -> String {
        format!("the bucket policy, {}: {who} may {}", self.statement.called(), self.verbs)
    }
}

struct Seen<'a> {
    at: &'a Subject<'a>,
    key: KeyArn,
    key_policy: Result<Policy, Word>,
    found: Vec<String>,
    unclear: Vec<String>,
}

impl Seen<'_> {
    fn principal(&mut self, grant: &Grant<'_>, principal: &Principal) {
        match principal {
            Principal::Everyone => self.everyone(grant),
            // Without an account it is a principal that was deleted, or one of CloudFront's.
            Principal::Aws(text) => {
                if let Some(account) = principal.account() {
                    self.named(grant, account, text);
                }
            }
            Principal::Federated(provider) => {
                self.unclear.push(grant.to(&format!("whoever signs in through {provider}")));
            }
            // One that only reads is taken for CloudFront's, which has a guard of its own.
            Principal::CanonicalUser(_) if grant.verbs == "read" => {}
            Principal::CanonicalUser(id) => {
                let is_owner = matches!(&self.at.evidence.acl, Some(Ok(acl)) if acl.owner == *id);
                if !is_owner {
                    self.unclear.push(grant.to(&format!("the account with canonical user id {id}")));
                }
            }
            Principal::Service(_) => {}
        }
    }

    /// An account, or a principal of it, that is named.
    fn named(&mut self, grant: &Grant<'_>, account: &str, who: &str) {
        let terms = self.at.terms;
        let is_load_balancers = || ACCOUNTS.iter().any(|(_, balancers)| *balancers == account);
        let is_known = account == self.at.bucket.account
            || (grant.verbs == "write" && is_load_balancers())
            || terms.trusted_accounts.contains(account)
            || terms.ignored_principals.iter().any(|pattern| matches(pattern, who));
        if is_known {
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
            self.found.push(format!("{}, from outside the organization", grant.to(who)));
            return;
        }
        match self.admitted(grant, request) {
            Ok(Answer::No) => self.found.push(format!("{}, and the key policy does not admit it", grant.to(who))),
            Ok(Answer::Yes) => {
                self.found.push(format!(
                    "{}; the key policy admits it, and its own policy cannot be seen from here",
                    grant.to(who)
                ));
            }
            Ok(Answer::CannotTell(why)) | Err(why) => {
                self.found.push(format!(
                    "{}; its own policy cannot be seen from here, and the key policy: {why}",
                    grant.to(who)
                ));
            }
        }
    }

    fn everyone(&mut self, grant: &Grant<'_>) {
        match narrowed(grant.statement, &self.at.organization.id) {
            Narrowed::Named(named) => named.into_iter().for_each(|(account, who)| self.named(grant, account, who)),
            Narrowed::Organization => {
                let organization = self.at.organization.id.as_str();
                // Any account of it: which is not known, and need not be.
                let request = |action: &str| {
                    ["aws:PrincipalArn", "aws:PrincipalAccount", "kms:CallerAccount"]
                        .iter()
                        .fold(Request::of("", "", action, "*".into()), |request, key| request.with(key, Known::Unknown))
                        .with_value("aws:PrincipalOrgID", organization)
                };
                let who = format!("every account of {organization}");
                match self.admitted(grant, request) {
                    Ok(Answer::Yes) => {}
                    Ok(Answer::No) => {
                        self.found
                            .push(format!("{}, and the key policy does not admit the organization", grant.to(&who)));
                    }
                    Ok(Answer::CannotTell(why)) | Err(why) => {
                        self.unclear.push(format!("{}; whether the key policy admits each: {why}", grant.to(&who)));
                    }
                }
            }
            Narrowed::OtherOrganizations(organizations) => {
                let who = format!("every account of {}", organizations.join(", "));
                self.found.push(format!("{}, from outside the organization", grant.to(&who)));
            }
            Narrowed::Elsewhere => {}
            Narrowed::Untold => {
                let keys: Vec<&str> =
                    grant.statement.conditions.iter().map(|condition| condition.key.as_str()).collect();
                let who = format!("everyone, under conditions on {}", keys.join(", "));
                self.unclear.push(format!("{}; whom that lets in is not known", grant.to(&who)));
            }
        }
    }

    /// Whether the key policy admits a request for all that a grant needs; why not, where the key policy is not known.
    fn admitted(&self, grant: &Grant<'_>, request: impl Fn(&str) -> Request) -> Result<Answer, String> {
        let policy = self.key_policy.as_ref().map_err(|word| match word {
            Word::CannotTell { evidence, .. } => evidence.join("; "),
            _ => String::new(),
        })?;
        let of_key = |action: &&str| {
            let mut request = request(action);
            request.resource = Text::Exactly(self.key.to_string());
            policy.admission(&access::of_key(request, self.at, &self.key)).admitted()
        };
        Ok(grant.needs.iter().map(of_key).fold(Answer::Yes, Answer::and))
    }
}

fn narrowed<'a>(statement: &'a Statement, organization: &str) -> Narrowed<'a> {
    let only = |key: &str| access::only_values(statement, key);
    // Whom the ARNs name says more than their accounts; a pattern may leave the account open.
    let arns = only("aws:principalarn").into_iter().map(|arn| (arn.split(':').nth(4).unwrap_or("*"), arn)).collect();
    let accounts = only("aws:principalaccount").into_iter().map(|account| (account, account)).collect();
    let is_told = |named: &Vec<(&str, &str)>| {
        !named.is_empty() && !named.iter().any(|(account, _)| account.is_empty() || account.contains('*'))
    };
    if let Some(named) = [arns, accounts].into_iter().find(is_told) {
        return Narrowed::Named(named);
    }
    let paths = only("aws:principalorgpaths").into_iter().filter_map(|path| path.split('/').next());
    let organizations: Vec<&str> = only("aws:principalorgid").into_iter().chain(paths).collect();
    if !organizations.is_empty() {
        return match organizations.iter().all(|of| *of == organization) {
            true => Narrowed::Organization,
            false => Narrowed::OtherOrganizations(organizations),
        };
    }
    let mut keys = statement.conditions.iter().map(|condition| condition.key.as_str());
    let is_public = keys.clone().all(|key| SAYS_NOT_WHO.contains(&key));
    if is_public || keys.any(|key| ACCESS_POINT.contains(&key)) || !only(SERVICE_NAME).is_empty() {
        return Narrowed::Elsewhere;
    }
    Narrowed::Untold
}

#[cfg(test)]
mod tests {
    use super::super::access_fixture::*;
    use super::*;

    const GUARD: OutsidePrincipals = OutsidePrincipals;

    fn reads(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Sid":"P","Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}"#
        )
    }

    fn site(principal: &str, condition: &str) -> Site {
        Site::new(Some(&reads(principal, condition)), ORGANIZATION)
    }

    const OUR_ORG: &str = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
    const ALL: &str = r#""*""#;

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
                "arn:aws:iam::444455556666:role/x may read; the key policy admits it, and its own policy cannot be seen from here",
            ),
            (ALL, theirs, "every account of o-theirs may read, from outside the organization"),
            (ALL, by_account, "777788889999 may read, from outside the organization"),
            (
                ALL,
                by_arn,
                "arn:aws:iam::444455556666:role/* may read; the key policy admits it, and its own policy cannot be seen from here",
            ),
        ] {
            let found = site(principal, condition).found(&GUARD);
            assert_eq!(found, [format!("the bucket policy, statement P: {line}")], "{principal} {condition}");
        }
    }

    #[test]
    fn finds_accounts_of_the_organization_that_the_key_does_not_admit() {
        let nobody = ORGANIZATION.replace("o-ours", "o-theirs");
        let found = Site::new(Some(&reads(ALL, OUR_ORG)), &nobody).found(&GUARD);
        assert_eq!(
            found,
            [
                "the bucket policy, statement P: every account of o-ours may read, and the key policy does not admit the organization"
            ]
        );
        let found = Site::new(Some(&reads(r#"{"AWS":"444455556666"}"#, "")), &nobody).found(&GUARD);
        assert!(found[0].ends_with("and the key policy does not admit it"), "{found:?}");
        let read_only = ORGANIZATION.replace(r#","kms:GenerateDataKey""#, "");
        let writes = reads(ALL, OUR_ORG).replace("s3:GetObject", "s3:*");
        assert_eq!(Site::new(Some(&writes), &read_only).found(&GUARD).len(), 1);
        assert_eq!(Site::new(Some(&reads(ALL, OUR_ORG)), &read_only).look(&GUARD), Word::Clear);
    }

    #[test]
    fn finds_nothing_inside_among_the_trusted_and_what_others_look_at() {
        let paths = r#","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/r-1/*"}}"#;
        let access_point = r#","Condition":{"StringEquals":{"s3:DataAccessPointAccount":"111122223333"}}"#;
        for (principal, condition) in [
            (r#"{"AWS":"arn:aws:iam::111122223333:role/x"}"#, ""),
            (r#"{"AWS":"111122223333"}"#, ""),
            (r#"{"AWS":"AIDAGONE"}"#, ""),
            (r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}"#, ""),
            (r#"{"Service":"cloudtrail.amazonaws.com"}"#, ""),
            (r#"{"AWS":"444455556666"}"#, r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#),
            (ALL, ""),
            (ALL, OUR_ORG),
            (ALL, paths),
            (ALL, access_point),
            (ALL, r#","Condition":{"StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}"#),
            (ALL, r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}}"#),
        ] {
            assert_eq!(site(principal, condition).look(&GUARD), Word::Clear, "{principal} {condition}");
        }
        let mut trusting = site(r#"{"AWS":["777788889999","arn:aws:iam::444455556666:role/break-glass"]}"#, "");
        trusting.terms.trusted_accounts = ["777788889999".to_owned()].into();
        trusting.terms.ignored_principals = vec!["arn:aws:iam::*:role/break-glass".into()];
        assert_eq!(trusting.look(&GUARD), Word::Clear);
        // Load balancers' logs have a guard of their own; whoever reads as their account is as any other.
        let balancers = reads(r#"{"AWS":"127311923021"}"#, "");
        let delivery = balancers.replace("s3:GetObject", "s3:PutObject");
        assert_eq!(Site::new(Some(&delivery), ORGANIZATION).look(&GUARD), Word::Clear);
        assert_ne!(Site::new(Some(&balancers), ORGANIZATION).look(&GUARD), Word::Clear);
        let listing = reads(r#"{"AWS":"777788889999"}"#, "").replace("s3:GetObject", "s3:ListBucket");
        assert_eq!(Site::new(Some(&listing), ORGANIZATION).look(&GUARD), Word::Clear);
        assert_eq!(Site::new(None, ORGANIZATION).look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_whom_other_conditions_let_in() {
        let endpoint = r#","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#;
        assert!(site(ALL, endpoint).untold(&GUARD)[0].contains("everyone, under conditions on aws:sourcevpce"));
        for condition in [
            r#"{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#,
            r#"{"StringNotEquals":{"aws:PrincipalServiceName":"x.amazonaws.com"}}"#,
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#,
            r#"{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
        ] {
            let site = site(ALL, &format!(r#","Condition":{condition}"#));
            assert!(site.untold(&GUARD)[0].contains("everyone, under conditions on"), "{condition}");
        }
        let perhaps = r#","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-ours"}}"#;
        assert_eq!(site(ALL, perhaps).untold(&GUARD).len(), 1);
        assert_eq!(site(r#"{"Federated":"accounts.google.com"}"#, "").untold(&GUARD).len(), 1);
        let writes = reads(r#"{"CanonicalUser":"abc"}"#, "").replace("s3:GetObject", "s3:PutObject");
        assert_eq!(Site::new(Some(&writes), ORGANIZATION).untold(&GUARD).len(), 1);
        assert_eq!(site(r#"{"CanonicalUser":"abc"}"#, "").look(&GUARD), Word::Clear);
        let mut dark = site(ALL, OUR_ORG);
        dark.key.policy = denied("GetKeyPolicy");
        assert!(dark.untold(&GUARD)[0].ends_with("AccessDenied: GetKeyPolicy: Access Denied"));
        let mut dark = site(ALL, OUR_ORG);
        dark.evidence.policy = denied("GetBucketPolicy");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetBucketPolicy: Access Denied"]);
    }
}
