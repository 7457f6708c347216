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
  name          = "@key_alias@"
  target_key_id = aws_kms_key.central[each.key].key_id
}

# For [central_key] in the campaign file.
output "central_key" {
  value = { for region, key in aws_kms_key.central : region => key.arn }
}
