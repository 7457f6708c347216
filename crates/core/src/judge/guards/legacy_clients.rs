//! Old clients: no configuration shows them, so this is a notice to people and no guard.

/// What plan and rollout say once per campaign.
pub const NOTICE: &str = "no configuration shows old clients: objects under a KMS key are served over TLS and to Signature Version 4 \
                          alone, and their ETag is no MD5 of the content; see docs/guards.md, Legacy clients";
