# A member account: the roles of orgseal, and the Automation documents in each Region.
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

variable "external_id" {
  description = "The external ID that the campaign file names as member_role.external_id"
  type        = string
  sensitive   = true
}

data "aws_caller_identity" "here" {}

locals {
  regions = ["us-east-1", "eu-west-1"]
  tags    = { orgseal = "bootstrap" }

  member_trust = replace(file("${path.module}/../../policies/member-trust.json"), "EXTERNAL-ID", var.external_id)
  automation_trust = replace(
    file("${path.module}/../../policies/automation-trust.json"),
    "MEMBER-ACCOUNT",
    data.aws_caller_identity.here.account_id,
  )
}

resource "aws_iam_role" "audit" {
  name                 = "orgseal-audit"
  path                 = "/"
  description          = "Assumed by orgseal for audits; reads alone"
  assume_role_policy   = local.member_trust
  max_session_duration = 3600
  tags                 = local.tags
}

resource "aws_iam_role_policy" "audit" {
  name   = "orgseal-audit"
  role   = aws_iam_role.audit.name
  policy = file("${path.module}/../../policies/member-audit.json")
}

resource "aws_iam_role" "member" {
  name                 = "orgseal-member"
  path                 = "/"
  description          = "Assumed by orgseal; reads, and starts the two documents"
  assume_role_policy   = local.member_trust
  max_session_duration = 3600
  tags                 = local.tags
}

resource "aws_iam_role_policy" "member" {
  name   = "orgseal-rollout"
  role   = aws_iam_role.member.name
  policy = file("${path.module}/../../policies/member-rollout.json")
}

resource "aws_iam_role" "automation" {
  name               = "orgseal-automation"
  path               = "/"
  description        = "The role under which orgseal's documents run; sets and reads default encryption"
  assume_role_policy = local.automation_trust
  tags               = local.tags
}

resource "aws_iam_role_policy" "automation" {
  name   = "orgseal-automation"
  role   = aws_iam_role.automation.name
  policy = file("${path.module}/../../policies/automation.json")
}

resource "aws_ssm_document" "seal" {
  for_each = toset(local.regions)

  region          = each.key
  name            = "EnableS3BucketEncryptionWithKMS"
  document_type   = "Automation"
  document_format = "YAML"
  content         = file("${path.module}/../../documents/EnableS3BucketEncryptionWithKMS.yaml")
  tags            = local.tags
}

resource "aws_ssm_document" "restore" {
  for_each = toset(local.regions)

  region          = each.key
  name            = "RestoreS3BucketEncryption"
  document_type   = "Automation"
  document_format = "YAML"
  content         = file("${path.module}/../../documents/RestoreS3BucketEncryption.yaml")
  tags            = local.tags
}
