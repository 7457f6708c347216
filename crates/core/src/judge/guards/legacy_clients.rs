//! Old clients: no configuration shows them, so this is a notice to people and no guard.

/// What plan and rollout say once per campaign.
pub const NOTICE: &str = "no configuration shows legacy clients: objects encrypted with a KMS key require TLS and Signature \
                          Version 4, and their ETag is not the MD5 of the content; see docs/guards.md, Legacy clients";
