//! GetAccountAuthorizationDetails and GetRole: what IAM shows of an account's users, roles and policies.

use percent_encoding::percent_decode_str;

use super::{Keys, SMALL, start};
use crate::Sandbox;

const ALPHA: &str = "111111111111";

/// The texts of all elements of this name.
pub(super) fn all(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).map(|part| part.split(&close).next().unwrap_or_default().to_string()).collect()
}

pub(super) fn one(xml: &str, name: &str) -> String {
    all(xml, name).into_iter().next().unwrap_or_default()
}

impl Sandbox {
    /// The result of a call, or the code of its error.
    async fn iam_text(&self, keys: &Keys, form: &str) -> Result<String, String> {
        let form = format!("{form}&Version=2010-05-08");
        let answer = self.send(keys, "us-east-1/iam", "POST", "/", &[], &form).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        if answer.status == 200 { Ok(text) } else { Err(one(&text, "Code")) }
    }

    /// The result of a call, or code and message of its error.
    pub(super) async fn iam_do(&self, keys: &Keys, action: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in fields {
            form.push_str(&format!("&{name}={}", encode(value)));
        }
        let answer = self.send(keys, "us-east-1/iam", "POST", "/", &[], &form).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        if answer.status == 200 { Ok(text) } else { Err(format!("{}: {}", one(&text, "Code"), one(&text, "Message"))) }
    }

    pub(super) async fn details(&self, keys: &Keys, more: &str) -> String {
        self.iam_text(keys, &format!("Action=GetAccountAuthorizationDetails{more}")).await.unwrap()
    }
}

#[tokio::test]
async fn everything_in_the_account_is_shown() {
    let roles = r#"
[[account.roles]]
name = "app"
trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"MEMBER-ACCOUNT"},"Action":"sts:AssumeRole"}}'
policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
boundary = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}'

[[account]]
name = "beta""#;
    let text = SMALL.replace(
        "\n[[account]]\nname = \"beta\"",
        &roles.replace("\"MEMBER-ACCOUNT\"", "\"arn:aws:iam::MEMBER-ACCOUNT:root\""),
    );
    let sandbox = start(&text, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let trust = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    let made = format!("Action=CreateRole&RoleName=made-one&Path=%2Fteam%2F&AssumeRolePolicyDocument={trust}");
    sandbox.iam_text(&keys, &made).await.unwrap();
    let inline = "Action=PutRolePolicy&RoleName=made-one&PolicyName=reads_it&PolicyDocument=%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
    sandbox.iam_text(&keys, inline).await.unwrap();

    let xml = sandbox.details(&keys, "").await;
    let lists = one(&xml, "RoleDetailList");
    let role = |name: &str| {
        let found = lists.split("<Path>").find(|role| role.contains(&format!("<RoleName>{name}</RoleName>")));
        found.unwrap_or_else(|| panic!("no {name} in {xml}")).to_string()
    };
    let decoded = |text: String| percent_decode_str(&text).decode_utf8_lossy().into_owned();
    assert_eq!(all(&lists, "RoleName").len(), 5, "{lists}");
    let member = role("orgseal-member");
    assert_eq!(one(&member, "PolicyName"), "orgseal-member");
    let document = one(&member, "PolicyDocument");
    assert!(
        !document.contains("%2D") && document.contains("orgseal-automation"),
        "unreserved characters stay: {document}"
    );
    assert!(decoded(document).contains("GetEncryptionConfiguration"));
    assert!(decoded(one(&member, "AssumeRolePolicyDocument")).contains("sts:ExternalId"));
    let administrator = role("OrganizationAccountAccessRole");
    assert!(administrator.contains("<RolePolicyList></RolePolicyList>"), "{administrator}");
    assert!(administrator.contains("<PolicyArn>arn:aws:iam::aws:policy/AdministratorAccess</PolicyArn>"));
    let app = role("app");
    assert_eq!(one(&app, "PermissionsBoundaryArn"), "arn:aws:iam::111111111111:policy/app-boundary");
    assert!(decoded(one(&app, "AssumeRolePolicyDocument")).contains("arn:aws:iam::111111111111:root"));
    let made = role("made-one");
    assert!(made.starts_with("/team/</Path>") && made.contains("role/team/made-one</Arn>"), "{made}");
    assert_eq!(one(&made, "PolicyName"), "reads_it");
    let policies = one(&xml, "Policies");
    assert_eq!(all(&policies, "PolicyName"), ["app-boundary", "AdministratorAccess"]);
    assert!(decoded(one(&policies, "Document")).contains("s3:Get*"));
    assert_eq!(one(&policies, "PermissionsBoundaryUsageCount"), "1");
    assert!(one(&xml, "UserDetailList").is_empty() && one(&xml, "IsTruncated") == "false");

    let own = sandbox.details(&sandbox.security(), "&Filter.member.1=User").await;
    assert_eq!(one(&own, "UserName"), "orgseal");
    assert_eq!(all(&own, "PolicyName"), ["orgseal", "orgseal-2"]);
    let only = sandbox.details(&keys, "&Filter.member.1=AWSManagedPolicy").await;
    assert_eq!(all(&only, "PolicyName"), ["AdministratorAccess"]);
    assert!(one(&only, "RoleDetailList").is_empty());
}

#[tokio::test]
async fn details_come_in_pages() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let whole = sandbox.details(&keys, "").await;
    let (mut names, mut marker, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = sandbox.details(&keys, &format!("&MaxItems=1{marker}")).await;
        names.extend(all(&page, "Arn"));
        pages += 1;
        match one(&page, "Marker") {
            end if end.is_empty() => break,
            next => marker = format!("&Marker={next}"),
        }
    }
    assert_eq!((names, pages), (all(&whole, "Arn"), 4));
    for wrong in ["&Marker=none", "&MaxItems=0", "&MaxItems=1001", "&Filter.member.1=Robot", "&Other=1"] {
        let error =
            sandbox.iam_text(&keys, &format!("Action=GetAccountAuthorizationDetails{wrong}")).await.unwrap_err();
        assert_eq!(error, "ValidationError", "{wrong}");
    }
}

#[tokio::test]
async fn the_member_role_looks_at_the_automation_role_alone() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let get = async |name: &str| sandbox.iam_text(&keys, &format!("Action=GetRole&RoleName={name}")).await;
    assert_eq!(one(&get("orgseal-automation").await.unwrap(), "RoleName"), "orgseal-automation");
    assert_eq!(get("OrganizationAccountAccessRole").await.unwrap_err(), "AccessDenied");
    let missing =
        start(&SMALL.replacen("id = \"111111111111\"", "id = \"111111111111\"\nautomation_role = false", 1), 0.0).await;
    let keys = missing.session_of(ALPHA, "orgseal-member");
    let answer = missing.iam_text(&keys, "Action=GetRole&RoleName=orgseal-automation").await;
    assert_eq!(answer.unwrap_err(), "NoSuchEntity");
}
