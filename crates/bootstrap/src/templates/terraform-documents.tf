
resource "aws_ssm_document" "seal" {
  for_each = toset(local.regions)

  region          = each.key
  name            = "@document_name@"
  document_type   = "Automation"
  document_format = "YAML"
  content         = file("${path.module}/../../documents/@document_name@.yaml")
  tags            = local.tags
}

resource "aws_ssm_document" "restore" {
  for_each = toset(local.regions)

  region          = each.key
  name            = "@restore_name@"
  document_type   = "Automation"
  document_format = "YAML"
  content         = file("${path.module}/../../documents/@restore_name@.yaml")
  tags            = local.tags
}
