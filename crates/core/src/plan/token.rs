//! The client token of a start: the same for the same act, so that a repeat is known as one.

use uuid::Uuid;

use crate::model::{Bucket, Operation};

/// `ClientToken` for `StartAutomationExecution`: a UUID derived from campaign, operation, bucket and attempt.
#[must_use]
pub fn client_token(campaign: &str, operation: Operation, bucket: &Bucket, attempt: u32) -> String {
    let Bucket { account, region, name } = bucket;
    let act = format!("{}\n{campaign}\n{account}\n{region}\n{name}\n{attempt}", operation.as_str());
    Uuid::new_v5(&Uuid::NAMESPACE_OID, act.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_from_the_act() {
        let bucket = Bucket { account: "111122223333".into(), region: "us-east-1".into(), name: "logs".into() };
        let other = Bucket { name: "logs2".into(), ..bucket.clone() };
        assert_eq!(client_token("c", Operation::Seal, &bucket, 1), client_token("c", Operation::Seal, &bucket, 1));
        assert_ne!(client_token("c", Operation::Seal, &bucket, 1), client_token("c", Operation::Seal, &bucket, 2));
        assert_ne!(client_token("c", Operation::Seal, &bucket, 1), client_token("d", Operation::Seal, &bucket, 1));
        assert_ne!(client_token("c", Operation::Seal, &bucket, 1), client_token("c", Operation::Seal, &other, 1));
        assert_ne!(client_token("c", Operation::Seal, &bucket, 1), client_token("c", Operation::Restore, &bucket, 1));
    }
}
