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
  home_region = "@home_region@"
  regions     = @regions_list@
  tags        = { orgseal = "bootstrap" }
}

@key_resources@
resource "aws_iam_policy" "caller" {
  name        = "orgseal-caller"
  description = "What whoever runs orgseal needs in the security account; attach it to that role or user"
  policy      = file("${path.module}/../../policies/caller.json")
  tags        = local.tags
}
@owned_documents@
output "caller_policy_arn" {
  value = aws_iam_policy.caller.arn
}
