//! AWS IAM: the users, groups and roles of an account, with every policy that says what they may do.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, EntityType, GroupDetail, ManagedPolicyDetail, PolicyDetail,
    RoleDetail, UserDetail,
};
use percent_encoding::percent_decode_str;

use super::Member;
use super::error::aws_error;
use super::paging::{Paging, Unique};
use crate::model::{AwsError, Identities, Identity};

/// `GetAccountAuthorizationDetails` takes at most this many entities for a page.
const ENTITIES_A_PAGE: i32 = 1_000;
const OPERATION: &str = "GetAccountAuthorizationDetails";

/// An account's identities, and its managed policies whether they are attached or not.
#[derive(Clone, Debug, Default)]
pub struct Authorizations {
    /// Users and roles.
    pub identities: Identities,
    /// The document in force of each managed policy, by ARN.
    pub policies: HashMap<String, Arc<str>>,
    /// What each user and role has of its own, by ARN.
    pub held: HashMap<String, PrincipalPolicies>,
}

/// The policies of a user or role itself, apart by how it has them: names are no ARNs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalPolicies {
    /// Inline policies: name and document.
    pub inline: Vec<(String, Arc<str>)>,
    /// ARNs of the managed policies that are attached.
    pub attached: Vec<String>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

impl PrincipalPolicies {
    fn new(
        inline: &[PolicyDetail],
        attached: &[AttachedPolicy],
        boundary: Option<&AttachedPermissionsBoundary>,
    ) -> PrincipalPolicies {
        let text = |policy: &PolicyDetail| decoded(policy.policy_document().unwrap_or_default()).into();
        let named = |policy: &PolicyDetail| (policy.policy_name().unwrap_or_default().to_owned(), text(policy));
        PrincipalPolicies {
            inline: inline.iter().map(named).collect(),
            attached: attached.iter().filter_map(|policy| policy.policy_arn()).map(str::to_owned).collect(),
            boundary: boundary.and_then(|set| set.permissions_boundary_arn()).map(str::to_owned),
        }
    }
}

impl Member {
    /// `GetAccountAuthorizationDetails`, all pages: users and roles with their inline and attached policies, those of their
    /// groups, and their boundary; service-linked roles among them, which use buckets like others. A policy whose document the answer does not hold has an
    /// empty one, which no reader takes for a policy.
    pub async fn identities(&self) -> Result<Identities, AwsError> {
        Ok(self.authorizations().await?.identities)
    }

    /// The same, with the managed policies.
    pub async fn authorizations(&self) -> Result<Authorizations, AwsError> {
        let (client, calls) = self.iam_service();
        let list = client
            .get_account_authorization_details()
            .max_items(ENTITIES_A_PAGE)
            .filter(EntityType::User)
            .filter(EntityType::Group)
            .filter(EntityType::Role)
            .filter(EntityType::LocalManagedPolicy)
            .filter(EntityType::AwsManagedPolicy);
        let mut details = Details::default();
        let (mut paging, mut marker) = (Paging::new(OPERATION), None);
        loop {
            let page = {
                let _permit = calls.enter().await;
                list.clone().set_marker(marker).send().await
            };
            let page = page.map_err(|error| calls.heed(aws_error(OPERATION, &error)))?;
            details.users.extend_from_slice(page.user_detail_list());
            details.groups.extend_from_slice(page.group_detail_list());
            details.roles.extend_from_slice(page.role_detail_list());
            details.take_documents(page.policies());
            marker = paging.next_of(page.is_truncated(), page.marker())?;
            if marker.is_none() {
                break;
            }
        }
        let mut unique = Unique::new(OPERATION);
        details.users = unique.only_new(details.users, |user| {
            (format!("user {}", user.arn().unwrap_or_default()), user.user_id().map(str::to_owned))
        })?;
        details.roles = unique.only_new(details.roles, |role| {
            (format!("role {}", role.arn().unwrap_or_default()), role.role_id().map(str::to_owned))
        })?;
        Ok(Authorizations { identities: details.identities(), held: details.held(), policies: details.documents })
    }
}

/// What the pages hold. A group or a managed policy may stand on a later page than who it belongs to.
#[derive(Default)]
struct Details {
    users: Vec<UserDetail>,
    groups: Vec<GroupDetail>,
    roles: Vec<RoleDetail>,
    /// The default version of each managed policy, by ARN.
    documents: HashMap<String, Arc<str>>,
}

impl Details {
    fn take_documents(&mut self, policies: &[ManagedPolicyDetail]) {
        for policy in policies {
            let default = policy.policy_version_list().iter().find(|version| {
                version.is_default_version()
                    || version.version_id().is_some_and(|id| policy.default_version_id() == Some(id))
            });
            if let (Some(arn), Some(text)) = (policy.arn(), default.and_then(|version| version.document())) {
                self.documents.insert(arn.to_owned(), decoded(text).into());
            }
        }
    }

    fn identities(&self) -> Identities {
        let groups: HashMap<&str, &GroupDetail> =
            self.groups.iter().filter_map(|group| Some((group.group_name()?, group))).collect();
        let users = self.users.iter().map(|user| {
            let mut policies = self.policies(user.user_policy_list(), user.attached_managed_policies(), "");
            for name in user.group_list() {
                match groups.get(name.as_str()) {
                    Some(group) => policies.extend(self.policies(
                        group.group_policy_list(),
                        group.attached_managed_policies(),
                        &format!(" of group {name}"),
                    )),
                    // It was made between two pages: what it allows is not known.
                    None => policies.push((format!("of group {name}"), Arc::default())),
                }
            }
            Identity {
                arn: user.arn().unwrap_or_default().to_owned(),
                id: user.user_id().unwrap_or_default().to_owned(),
                policies,
                boundary: self.boundary(user.permissions_boundary()),
                trust: None,
            }
        });
        let roles = self.roles.iter().map(|role| Identity {
            arn: role.arn().unwrap_or_default().to_owned(),
            id: role.role_id().unwrap_or_default().to_owned(),
            policies: self.policies(role.role_policy_list(), role.attached_managed_policies(), ""),
            boundary: self.boundary(role.permissions_boundary()),
            trust: role.assume_role_policy_document().map(decoded),
        });
        Identities { principals: users.chain(roles).collect() }
    }

    fn held(&self) -> HashMap<String, PrincipalPolicies> {
        let users = self.users.iter().filter_map(|user| {
            let held = PrincipalPolicies::new(
                user.user_policy_list(),
                user.attached_managed_policies(),
                user.permissions_boundary(),
            );
            Some((user.arn()?.to_owned(), held))
        });
        let roles = self.roles.iter().filter_map(|role| {
            let held = PrincipalPolicies::new(
                role.role_policy_list(),
                role.attached_managed_policies(),
                role.permissions_boundary(),
            );
            Some((role.arn()?.to_owned(), held))
        });
        users.chain(roles).collect()
    }

    fn policies(&self, inline: &[PolicyDetail], attached: &[AttachedPolicy], whose: &str) -> Vec<(String, Arc<str>)> {
        let named = |name: Option<&str>| format!("{}{whose}", name.unwrap_or("without a name"));
        let inline = inline
            .iter()
            .map(|policy| (named(policy.policy_name()), decoded(policy.policy_document().unwrap_or_default()).into()));
        let attached = attached.iter().map(|policy| (named(policy.policy_name()), self.document(policy.policy_arn())));
        inline.chain(attached).collect()
    }

    fn boundary(&self, attached: Option<&AttachedPermissionsBoundary>) -> Option<Arc<str>> {
        Some(self.document(attached?.permissions_boundary_arn()))
    }

    fn document(&self, arn: Option<&str>) -> Arc<str> {
        arn.and_then(|arn| self.documents.get(arn)).cloned().unwrap_or_default()
    }
}

/// IAM percent-encodes documents; some stand-ins for it do not.
pub(super) fn decoded(document: &str) -> String {
    if document.trim_start().starts_with('{') {
        return document.to_owned();
    }
    percent_decode_str(document).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::super::CallLimits;
    use super::*;

    /// Answers one request after another, and gives back what was asked.
    fn answering(pages: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let answer = |page: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                // The body is short, and its end is known by its last parameter.
                while !request.ends_with(b"MaxItems=1000") && !String::from_utf8_lossy(&request).contains("Marker=") {
                    let mut chunk = [0; 4096];
                    let read = stream.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..read]);
                }
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len())
                    .unwrap();
                String::from_utf8(request).unwrap()
            };
            pages.into_iter().map(answer).collect()
        });
        (endpoint, asked)
    }

    fn page(content: &str, marker: Option<&str>) -> String {
        let more = match marker {
            Some(marker) => format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"),
            None => "<IsTruncated>false</IsTruncated>".to_owned(),
        };
        format!(
            r#"<GetAccountAuthorizationDetailsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetAccountAuthorizationDetailsResult>{content}{more}</GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"#
        )
    }

    async fn read(pages: Vec<String>) -> (Result<Identities, AwsError>, Vec<String>) {
        let (endpoint, asked) = answering(pages);
        let key = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(key))
            .build();
        let read = Member::for_test(&config, "111122223333", CallLimits { s3: 1, ssm: 1 }).identities().await;
        (read, asked.join().unwrap())
    }

    #[tokio::test]
    async fn what_belongs_together_may_stand_on_two_pages() {
        let first = r#"
            <UserDetailList><member><UserName>u</UserName><UserId>AIDAU</UserId><Path>/</Path><Arn>arn:aws:iam::111122223333:user/u</Arn>
              <GroupList><member>g</member><member>gone</member></GroupList>
              <UserPolicyList><member><PolicyName>own</PolicyName><PolicyDocument>%7B%22a%22%3A%22b+c%22%7D</PolicyDocument></member></UserPolicyList>
              <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:p</PermissionsBoundaryArn></PermissionsBoundary>
            </member></UserDetailList>
            <RoleDetailList>
              <member><RoleName>s</RoleName><RoleId>AROAS</RoleId><Path>/aws-service-role/x.amazonaws.com/</Path><Arn>arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/s</Arn></member>
              <member><RoleName>r</RoleName><RoleId>AROAR</RoleId><Path>/</Path><Arn>arn:aws:iam::111122223333:role/r</Arn>
                <AssumeRolePolicyDocument>{"t":"100%"}</AssumeRolePolicyDocument>
                <AttachedManagedPolicies><member><PolicyName>P</PolicyName><PolicyArn>arn:p</PolicyArn></member>
                  <member><PolicyName>Q</PolicyName><PolicyArn>arn:q</PolicyArn></member></AttachedManagedPolicies></member>
            </RoleDetailList>"#;
        let second = r#"
            <GroupDetailList><member><GroupName>g</GroupName>
              <AttachedManagedPolicies><member><PolicyName>P</PolicyName><PolicyArn>arn:p</PolicyArn></member></AttachedManagedPolicies>
              <GroupPolicyList><member><PolicyName>in</PolicyName><PolicyDocument>%7B%7D</PolicyDocument></member></GroupPolicyList></member></GroupDetailList>
            <Policies><member><PolicyName>P</PolicyName><Arn>arn:p</Arn><DefaultVersionId>v2</DefaultVersionId><PolicyVersionList>
              <member><Document>%7B%22v%22%3A1%7D</Document><VersionId>v1</VersionId><IsDefaultVersion>false</IsDefaultVersion></member>
              <member><Document>%7B%22v%22%3A2%7D</Document><VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion></member>
            </PolicyVersionList></member></Policies>"#;
        let (read, asked) = read(vec![page(first, Some("next")), page(second, None)]).await;
        let pair = |name: &str, text: &str| (name.to_owned(), Arc::from(text));
        let second_version = r#"{"v":2}"#;
        let user = Identity {
            arn: "arn:aws:iam::111122223333:user/u".into(),
            id: "AIDAU".into(),
            policies: vec![
                pair("own", r#"{"a":"b+c"}"#),
                pair("in of group g", "{}"),
                pair("P of group g", second_version),
                pair("of group gone", ""),
            ],
            boundary: Some(second_version.into()),
            trust: None,
        };
        let role = Identity {
            arn: "arn:aws:iam::111122223333:role/r".into(),
            id: "AROAR".into(),
            policies: vec![pair("P", second_version), pair("Q", "")],
            boundary: None,
            trust: Some(r#"{"t":"100%"}"#.into()),
        };
        let service_linked = Identity {
            arn: "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/s".into(),
            id: "AROAS".into(),
            ..Identity::default()
        };
        assert_eq!(read.unwrap().principals, [user, service_linked, role]);
        assert!(!asked[0].contains("Marker=") && asked[1].contains("Marker=next"), "{asked:?}");
        for kind in ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"] {
            assert!(asked[1].contains(&format!("={kind}&")) || asked[1].contains(&format!("={kind}")), "{kind}");
        }
    }
}
