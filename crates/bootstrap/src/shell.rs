//! The groundwork by AWS commands, in order.

use crate::groundwork::Groundwork;

const DEPLOY: &str = include_str!("templates/deploy.sh");

const KEY: &str = r#"    for region in "${regions[@]}"; do
        aws cloudformation deploy --region "$region" --stack-name orgseal-central-key \
            --template-file "$here/cloudformation/central-key.json"
        aws cloudformation describe-stacks --region "$region" --stack-name orgseal-central-key \
            --query "Stacks[0].Outputs[?OutputKey=='CentralKeyArn'].OutputValue" --output text
    done"#;

const MULTI_REGION_KEY: &str = r#"    aws cloudformation deploy --region "$home_region" --stack-name orgseal-central-key \
        --template-file "$here/cloudformation/central-key.json"
    primary="$(aws cloudformation describe-stacks --region "$home_region" --stack-name orgseal-central-key \
        --query "Stacks[0].Outputs[?OutputKey=='CentralKeyArn'].OutputValue" --output text)"
    echo "$primary"
    for region in "${regions[@]}"; do
        [ "$region" = "$home_region" ] || aws cloudformation deploy --region "$region" --stack-name orgseal-central-key \
            --template-file "$here/cloudformation/central-key-replica.json" --parameter-overrides "PrimaryKeyArn=$primary"
    done"#;

const SHARED_DOCUMENTS: &str = r#"    : "${ACCOUNTS:?name the accounts that are to use the documents, apart by commas; twenty in one command, a thousand in all}"
    IFS=, read -ra accounts <<<"$ACCOUNTS"
    for region in "${regions[@]}"; do
        aws cloudformation deploy --region "$region" --stack-name orgseal-documents \
            --template-file "$here/cloudformation/documents.json"
        for document in @document_name@ @restore_name@; do
            aws ssm modify-document-permission --region "$region" --name "$document" --permission-type Share \
                --account-ids-to-add "${accounts[@]}"
        done
    done"#;

const OWN_DOCUMENTS: &str = r#"    : "${ROOT_OR_OU:?name the root (r-…) or the OUs that are to have the documents}"
    aws cloudformation create-stack-set --region "$home_region" --stack-set-name orgseal-documents \
        --template-body "file://$here/cloudformation/documents.json" \
        --permission-model SERVICE_MANAGED --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false
    aws cloudformation create-stack-instances --region "$home_region" --stack-set-name orgseal-documents \
        --deployment-targets "OrganizationalUnitIds=$ROOT_OR_OU" --regions "${regions[@]}" \
        --operation-preferences MaxConcurrentPercentage=10,FailureTolerancePercentage=5"#;

/// The script.
pub(crate) fn script(groundwork: &Groundwork) -> String {
    let file = &groundwork.file;
    let with_id = |text: &str| if file.member_role.external_id.is_some() { text.to_owned() } else { String::new() };
    let shared = file.document.owner.is_some();
    let (documents, place) = match &file.document.owner {
        Some(owner) => (SHARED_DOCUMENTS, format!("the account that shares them, {owner}")),
        None => (OWN_DOCUMENTS, "the management account, or a delegated administrator of StackSets".to_owned()),
    };
    let keys = if groundwork.is_multi_region() { MULTI_REGION_KEY } else { KEY };
    let filling = groundwork.filling();
    let filling = filling
        .clone()
        .text("key_steps", keys)
        .text("document_steps", filling.fill_text(documents))
        .text("documents_where", place)
        .text("documents_require", if shared { "" } else { "    requires \"$stack_sets\"\n" })
        .text("external_id_needed", with_id("\n    : \"${EXTERNAL_ID:?member_role.external_id of the campaign file}\""))
        .text(
            "external_id_parameter",
            with_id(" \\\n        --parameters \"ParameterKey=ExternalId,ParameterValue=$EXTERNAL_ID\""),
        );
    filling.fill_text(DEPLOY)
}
