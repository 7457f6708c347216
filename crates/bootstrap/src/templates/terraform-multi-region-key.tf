resource "aws_kms_key" "central" {
  region                  = local.home_region
  description             = "The central key of the organization's buckets (orgseal)"
  deletion_window_in_days = 30
  enable_key_rotation     = true
  multi_region            = true
  policy                  = file("${path.module}/../../policies/central-key.json")
  tags                    = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_replica_key" "central" {
  for_each = setsubtract(local.regions, [local.home_region])

  region                  = each.key
  description             = "The central key of the organization's buckets (orgseal)"
  deletion_window_in_days = 30
  primary_key_arn         = aws_kms_key.central.arn
  policy                  = file("${path.module}/../../policies/central-key.json")
  tags                    = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "central" {
  for_each = toset(local.regions)

  region        = each.key
  name          = "@key_alias@"
  target_key_id = each.key == local.home_region ? aws_kms_key.central.key_id : aws_kms_replica_key.central[each.key].key_id
}

# For [central_key] in the campaign file.
output "multi_region_key" {
  value = aws_kms_key.central.arn
}
