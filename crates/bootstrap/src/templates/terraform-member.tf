# A member account: the roles of orgseal@documents_too@.
# AWS provider 6: each resource names its Region.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}
@external_id_variable@
data "aws_caller_identity" "here" {}

locals {
  regions = @regions_list@
  tags    = { orgseal = "bootstrap" }

  member_trust = @member_trust@
  automation_trust = replace(
    file("${path.module}/../../policies/automation-trust.json"),
    "MEMBER-ACCOUNT",
    data.aws_caller_identity.here.account_id,
  )
}
@boundary_policy@
resource "aws_iam_role" "audit" {
  name                 = "@audit_role@"
  path                 = "@member_path@"
  description          = "Assumed by orgseal for audits; reads alone"
  assume_role_policy   = local.member_trust
  max_session_duration = @session_duration@
  tags                 = local.tags@boundary@
}

resource "aws_iam_role_policy" "audit" {
  name   = "orgseal-audit"
  role   = aws_iam_role.audit.name
  policy = file("${path.module}/../../policies/member-audit.json")
}

resource "aws_iam_role" "member" {
  name                 = "@member_role@"
  path                 = "@member_path@"
  description          = "Assumed by orgseal; reads, and starts the two documents"
  assume_role_policy   = local.member_trust
  max_session_duration = @session_duration@
  tags                 = local.tags@boundary@
}

resource "aws_iam_role_policy" "member" {
  name   = "orgseal-rollout"
  role   = aws_iam_role.member.name
  policy = file("${path.module}/../../policies/member-rollout.json")
}

resource "aws_iam_role" "automation" {
  name               = "@automation_role@"
  path               = "@automation_path@"
  description        = "The role under which orgseal's documents run; sets and reads default encryption"
  assume_role_policy = local.automation_trust
  tags               = local.tags@boundary@
}

resource "aws_iam_role_policy" "automation" {
  name   = "orgseal-automation"
  role   = aws_iam_role.automation.name
  policy = file("${path.module}/../../policies/automation.json")
}
@member_documents@
