//! The client token of a start: the same for the same act, so that a repeat is known as one.

use uuid::Uuid;

use crate::model::Bucket;

/// `ClientToken` for `StartAutomationExecution`: a UUID derived from campaign, bucket and attempt.
#[must_use]
pub fn client_token(campaign: &str, bucket: &Bucket, attempt: u32) -> String {
    let act = format!("seal\n{campaign}\n{}\n{}\n{}\n{attempt}", bucket.account, bucket.region, bucket.name);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, act.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_from_the_act() {
        let bucket = Bucket { account: "111122223333".into(), region: "us-east-1".into(), name: "logs".into() };
        let other = Bucket { name: "logs2".into(), ..bucket.clone() };
        assert_eq!(client_token("c", &bucket, 1), client_token("c", &bucket, 1));
        assert_ne!(client_token("c", &bucket, 1), client_token("c", &bucket, 2));
        assert_ne!(client_token("c", &bucket, 1), client_token("d", &bucket, 1));
        assert_ne!(client_token("c", &bucket, 1), client_token("c", &other, 1));
    }
}
