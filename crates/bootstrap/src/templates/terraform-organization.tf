# The management account, or a delegated administrator: the rule that finds buckets under another key, and guardrails that are attached
# to nothing. Trusted access for config-multiaccountsetup.amazonaws.com and the two policy types must be enabled first:
# ../../shell/deploy.sh check says what is missing.

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
  regions = @regions_list@
  tags    = { orgseal = "bootstrap" }
  control_policies = {
    "scp-other-key" = "SERVICE_CONTROL_POLICY"
    "rcp-other-key" = "RESOURCE_CONTROL_POLICY"
    "scp-keep-seal" = "SERVICE_CONTROL_POLICY"
    "scp-keep-key"  = "SERVICE_CONTROL_POLICY"
  }
}

resource "aws_config_organization_conformance_pack" "orgseal" {
  for_each = toset(local.regions)

  region        = each.key
  name          = "orgseal"
  template_body = file("${path.module}/../../aws-config/conformance-pack-${each.key}.yaml")
}

resource "aws_organizations_policy" "guardrail" {
  for_each = local.control_policies

  name    = "orgseal-${each.key}"
  type    = each.value
  content = file("${path.module}/../../guardrails/${each.key}.min.json")
  tags    = local.tags
}
