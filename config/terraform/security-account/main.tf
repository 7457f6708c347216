# The security account: the central key in each Region, and the policy of whoever runs orgseal.
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

locals {
  home_region = "us-east-1"
  regions     = ["us-east-1", "eu-west-1"]
  tags        = { orgseal = "bootstrap" }
}

resource "aws_kms_key" "central" {
  for_each = toset(local.regions)

  region                  = each.key
  description             = "The central key of the organization's buckets (orgseal)"
  deletion_window_in_days = 30
  enable_key_rotation     = true
  policy                  = file("${path.module}/../../policies/central-key.json")
  tags                    = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "central" {
  for_each = toset(local.regions)

  region        = each.key
  name          = "alias/orgseal-central"
  target_key_id = aws_kms_key.central[each.key].key_id
}

# For [central_key] in the campaign file.
output "central_key" {
  value = { for region, key in aws_kms_key.central : region => key.arn }
}

resource "aws_iam_policy" "caller" {
  name        = "orgseal-caller"
  description = "What whoever runs orgseal needs in the security account; attach it to that role or user"
  policy      = file("${path.module}/../../policies/caller.json")
  tags        = local.tags
}

output "caller_policy_arn" {
  value = aws_iam_policy.caller.arn
}
