//! A role that was just created is missing from IAM's reads until IAM is consistent. That it cannot be assumed is in
//! tests/e2e/bootstrap.rs.

use std::time::Duration;

use super::cloudformation::trust;
use super::{SMALL, start};

const ALPHA: &str = "111111111111";

#[tokio::test]
async fn a_new_role_is_missing_until_iam_is_consistent() {
    let sandbox = start(&SMALL.replacen("seed", "iam_consistency_seconds = 1.0\nseed", 1), 1.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |form: &str| {
        let form = format!("{form}&Version=2010-05-08");
        let answer = sandbox.send(&keys, "us-east-1/iam", "POST", "/", &[], &form).await;
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    let encoded: String = trust("ssm.amazonaws.com").to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let create = format!("Action=CreateRole&RoleName=fresh&AssumeRolePolicyDocument={encoded}");
    let (status, said) = call(&create).await;
    assert_eq!(status, 200, "{said}");
    let sees = async || {
        let got = call("Action=GetRole&RoleName=fresh").await.0 == 200;
        for read in ["Action=GetAccountAuthorizationDetails", "Action=ListRoles"] {
            assert_eq!(call(read).await.1.contains("role/fresh<"), got, "{read}");
        }
        got
    };
    assert!(!sees().await);
    // A write knows of it at once.
    assert_eq!(call(&create).await.0, 409);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(sees().await);
}
