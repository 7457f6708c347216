//! Terraform modules, which read the policies and documents beside them.

use crate::groundwork::Groundwork;
use crate::template::Filling;

const SECURITY: &str = include_str!("templates/terraform-security.tf");
const KEYS: &str = include_str!("templates/terraform-keys.tf");
const MULTI_REGION_KEY: &str = include_str!("templates/terraform-multi-region-key.tf");
const DOCUMENTS: &str = include_str!("templates/terraform-documents.tf");
const MEMBER: &str = include_str!("templates/terraform-member.tf");
const ORGANIZATION: &str = include_str!("templates/terraform-organization.tf");

const BOUNDARY: &str = r#"
resource "aws_iam_policy" "boundary" {
  name        = "orgseal-boundary"
  description = "The most that the roles of orgseal may ever be"
  policy      = file("${path.module}/../../policies/boundary.json")
  tags        = local.tags
}
"#;

const EXTERNAL_ID: &str = r#"
variable "external_id" {
  description = "The external ID that the campaign file names as member_role.external_id"
  type        = string
  sensitive   = true
}
"#;

const TRUST: &str = r#"file("${path.module}/../../policies/member-trust.json")"#;

/// The modules by their paths below `terraform/`.
pub(crate) fn modules(groundwork: &Groundwork) -> Vec<(&'static str, String)> {
    let file = &groundwork.file;
    let regions: Vec<String> = groundwork.regions().iter().map(|region| format!("\"{region}\"")).collect();
    let (shared, bounded) = (file.document.owner.is_some(), file.bootstrap.permissions_boundary);
    let filling = groundwork.filling().text("regions_list", format!("[{}]", regions.join(", ")));
    let only = |is: bool, text: &str| if is { text.to_owned() } else { String::new() };
    let documents = filling.fill_text(DOCUMENTS);
    let trust = match file.member_role.external_id {
        Some(_) => format!("replace({TRUST}, \"EXTERNAL-ID\", var.external_id)"),
        None => TRUST.to_owned(),
    };
    let keys = if groundwork.is_multi_region() { MULTI_REGION_KEY } else { KEYS };
    let filling = filling
        .clone()
        .text("key_resources", filling.fill_text(keys))
        .text("owned_documents", only(shared, &documents))
        .text("member_documents", only(!shared, &documents))
        .text("documents_too", only(!shared, ", and the Automation documents in each Region"))
        .text("external_id_variable", only(file.member_role.external_id.is_some(), EXTERNAL_ID))
        .text("member_trust", trust)
        .text("session_duration", file.member_role.session_duration.max(3600).to_string())
        .text("boundary_policy", only(bounded, BOUNDARY))
        .text("boundary", only(bounded, "\n\n  permissions_boundary = aws_iam_policy.boundary.arn"));
    let whole = |template: &str| format!("{}\n", fill_twice(&filling, template).trim_end());
    vec![
        ("security-account/main.tf", whole(SECURITY)),
        ("member-account/main.tf", whole(MEMBER)),
        ("organization/main.tf", whole(ORGANIZATION)),
    ]
}

/// What fills a mark may hold marks itself.
fn fill_twice(filling: &Filling, template: &str) -> String {
    filling.fill_text(&filling.fill_text(template))
}
