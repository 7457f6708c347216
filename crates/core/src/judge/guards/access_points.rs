//! `access-points`: who comes in by an access point of another account, or by one whose policy admits others, needs the key on
//! its own side too. Access points of other accounts are listed to them alone; the bucket's policy has to delegate to them.

use super::access::{account_of, only_values};
use super::seen::Seen;
use super::services::services;
use super::sight::{self, Sight, read};
use super::{Guard, Need, Word};
use crate::judge::policy::{Condition, Principal, Principals, Statement};

const ACCOUNT: &str = "s3:dataaccesspointaccount";
const ARN: &str = "s3:dataaccesspointarn";
const ORIGIN: &str = "s3:accesspointnetworkorigin";

pub(super) struct AccessPoints;

impl Guard for AccessPoints {
    fn name(&self) -> &'static str {
        "access-points"
    }

    fn keeps_from(&self) -> &'static str {
        "other accounts lose access through an access point"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Acl, Need::AccessPoints]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for statement in policy.allows() {
                if let Some(how) = delegates(statement, at) {
                    seen.saw(format!("the bucket policy, {}, delegates to access points {how}", statement.called()));
                }
            }
        }
        let points =
            seen.known(read(&at.evidence.access_points, "ListAccessPoints")).map(Vec::as_slice).unwrap_or_default();
        for point in points {
            let called = format!("access point {}", point.name);
            if point.account != at.bucket.account {
                seen.saw(format!("{called} belongs to account {}", point.account));
            }
            let text = point.policy.as_deref();
            let Some(policy) =
                text.and_then(|text| seen.known(sight::understood(text, &format!("the policy of {called}"))))
            else {
                continue;
            };
            for statement in policy.allows() {
                for who in strangers(statement, at) {
                    seen.saw(format!("the policy of {called}, {}, allows {who}", statement.called()));
                }
            }
        }
        seen.word(
            "other accounts can access the bucket through access points; could not determine whether they can use the central \
             key",
            "allow these principals kms:GenerateDataKey and kms:Decrypt on the central key, in their own accounts and in the \
             key policy; then add the accounts to guards.trusted_accounts, or override the guard",
        )
    }
}

/// In which way a statement leaves the decision to access points beyond the bucket's own account. Conditions must hold together,
/// so one that names known accounts alone is enough to keep it.
fn delegates(statement: &Statement, at: &Sight<'_>) -> Option<String> {
    let mut how = None;
    for condition in statement.conditions.iter().filter(|condition| is_of_access_points(condition)) {
        how = Some(leaves_to(condition, at)?);
    }
    how
}

/// Whether a condition asks by which access point a request comes.
pub(super) fn is_of_access_points(condition: &Condition) -> bool {
    matches!(condition.key.as_str(), ACCOUNT | ARN | ORIGIN)
}

/// Whether a statement lets nobody in but through an access point.
pub(super) fn is_bound_to_access_points(statement: &Statement) -> bool {
    [ACCOUNT, ARN, ORIGIN].into_iter().any(|key| !only_values(statement, key).is_empty())
}

/// Whose access points a condition leaves room for; `None` where it keeps to known accounts, or to no access point at all.
fn leaves_to(condition: &Condition, at: &Sight<'_>) -> Option<String> {
    let (plain, negated) = condition.plain_operator();
    if plain == "null" {
        let absent = condition.values.iter().all(|value| value.eq_ignore_ascii_case("true"));
        return (!absent).then(|| "of any account".to_owned());
    }
    if condition.key == ORIGIN {
        return Some("of any account".to_owned());
    }
    if negated {
        return Some(format!("of any account except {}", condition.values.join(", ")));
    }
    let is_known = |value: &str| {
        let account = if condition.key == ARN { account_of(value) } else { Some(value) };
        account.is_some_and(|account| account == at.bucket.account || at.terms.trusted_accounts.contains(account))
    };
    let others: Vec<&str> = condition.values.iter().map(String::as_str).filter(|value| !is_known(value)).collect();
    (!others.is_empty()).then(|| format!("of {}", others.join(", ")))
}

/// Whom a statement lets in from other accounts than the bucket's own, in words. Principals and accounts that the campaign
/// file takes out are none; nor are services, which ask in their own name.
fn strangers(statement: &Statement, at: &Sight<'_>) -> Vec<String> {
    match &statement.principals {
        Principals::Bearer => Vec::new(),
        Principals::AllBut(_) => vec!["everyone except the principals that it names".to_owned()],
        Principals::Are(principals) => principals.iter().filter_map(|one| stranger(one, statement, at)).collect(),
    }
}

fn stranger(principal: &Principal, statement: &Statement, at: &Sight<'_>) -> Option<String> {
    match principal {
        Principal::Service(_) => None,
        Principal::Everyone if is_bound_to_own_account(statement, at) => None,
        // Whoever comes with a service's name is a service.
        Principal::Everyone if services(statement).next().is_some() => None,
        Principal::Everyone if statement.conditions.is_empty() => Some("everyone".to_owned()),
        Principal::Everyone => {
            let keys: Vec<&str> = statement.conditions.iter().map(|condition| condition.key.as_str()).collect();
            Some(format!("everyone, under conditions on {}", keys.join(", ")))
        }
        // Without an account it is a principal that was deleted, or one of CloudFront's.
        Principal::Aws(arn) => {
            let account = principal.account()?;
            (!at.is_known(account, arn)).then(|| arn.clone())
        }
        Principal::Federated(provider) => Some(format!("principals federated through {provider}")),
        Principal::CanonicalUser(id) if at.is_owner(id) => None,
        Principal::CanonicalUser(id) => Some(format!("the canonical user {id}")),
    }
}

/// Whether conditions keep everyone out but principals of the bucket's own account.
fn is_bound_to_own_account(statement: &Statement, at: &Sight<'_>) -> bool {
    let own = at.bucket.account.as_str();
    let accounts = only_values(statement, "aws:principalaccount");
    let arns = only_values(statement, "aws:principalarn");
    !accounts.is_empty() && accounts.iter().all(|account| *account == own)
        || !arns.is_empty() && arns.iter().all(|arn| account_of(arn) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use crate::model::AccessPoint;

    fn delegating(condition: &str) -> Scene {
        let mut scene = Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{condition}}}"#
        ));
        scene.evidence.access_points = Some(Ok(Vec::new()));
        scene
    }

    fn point(principal: &str, condition: &str) -> Scene {
        let mut scene = Scene::with_policy("");
        scene.evidence.policy = Some(Ok(None));
        scene.evidence.access_points = Some(Ok(vec![AccessPoint {
            name: "analytics".into(),
            account: OWN.into(),
            origin: "Internet".into(),
            policy: Some(policy(&format!(
                r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"*"{condition}}}"#
            ))),
        }]));
        scene
    }

    #[test]
    fn finds_delegation_to_other_accounts() {
        for (condition, how) in [
            (r#"{"StringEquals":{"s3:DataAccessPointAccount":["111122223333","777788889999"]}}"#, "of 777788889999"),
            (
                r#"{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:*:*:accesspoint/*"}}"#,
                "of arn:aws:s3:*:*:accesspoint/*",
            ),
            (r#"{"StringNotEquals":{"s3:DataAccessPointAccount":"1"}}"#, "of any account except 1"),
            (r#"{"StringEquals":{"s3:AccessPointNetworkOrigin":"VPC"}}"#, "of any account"),
        ] {
            let seen = delegating(condition).found(&AccessPoints);
            assert!(seen[0].ends_with(how), "{seen:?}");
        }
    }

    #[test]
    fn finds_access_points_that_admit_others() {
        for principal in [r#"{"AWS":"arn:aws:iam::777788889999:role/app"}"#, r#""*""#] {
            assert_eq!(point(principal, "").found(&AccessPoints).len(), 1, "{principal}");
        }
        let org = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
        let seen = point(r#""*""#, org).found(&AccessPoints);
        assert!(seen[0].ends_with("everyone, under conditions on aws:principalorgid"), "{seen:?}");
        let mut scene = point(r#"{"AWS":"111122223333"}"#, "");
        if let Some(Ok(points)) = &mut scene.evidence.access_points {
            points[0].account = "777788889999".into();
        }
        assert_eq!(scene.found(&AccessPoints), ["access point analytics belongs to account 777788889999"]);
    }

    #[test]
    fn finds_nothing_within_the_account_and_among_the_trusted() {
        for condition in [
            r#"{"StringEquals":{"s3:DataAccessPointAccount":"111122223333"}}"#,
            r#"{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-east-1:111122223333:accesspoint/*"}}"#,
            r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#,
            r#"{"Null":{"s3:DataAccessPointArn":"true"}}"#,
            r#"{"StringEquals":{"s3:AccessPointNetworkOrigin":"VPC","s3:DataAccessPointAccount":"111122223333"}}"#,
        ] {
            assert_eq!(delegating(condition).look(&AccessPoints), Word::Clear, "{condition}");
        }
        assert_eq!(point(r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#, "").look(&AccessPoints), Word::Clear);
        let own = r#","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#;
        assert_eq!(point(r#""*""#, own).look(&AccessPoints), Word::Clear);
        let mut scene = point(r#"{"AWS":["777788889999","arn:aws:iam::123412341234:role/break-glass"]}"#, "");
        scene.terms.trusted_accounts = ["777788889999".to_owned()].into();
        scene.terms.ignored_principals = vec!["arn:aws:iam::*:role/break-glass".into()];
        assert_eq!(scene.look(&AccessPoints), Word::Clear);
    }

    #[test]
    fn cannot_tell_without_the_list() {
        let mut scene = Scene::with_policy("");
        scene.evidence.policy = Some(Ok(None));
        scene.evidence.access_points = denied("ListAccessPoints", "allow s3:ListAccessPoints");
        assert_eq!(scene.advice(&AccessPoints), "allow s3:ListAccessPoints");
    }
}
