#!/usr/bin/env bash
# The groundwork of orgseal by AWS commands, in order. Each step says with whose credentials it is run; read it before you run it, step
# by step: a step that was done once fails the second time, and says so.
#
#   ./deploy.sh STEP        with STEP one of: keys, security, documents, members, organization
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
home_region=us-east-1
regions=(us-east-1 eu-west-1)

keys() { # the security account, 111122223333
    for region in "${regions[@]}"; do
        aws cloudformation deploy --region "$region" --stack-name orgseal-central-key \
            --template-file "$here/cloudformation/central-key.json"
        aws cloudformation describe-stacks --region "$region" --stack-name orgseal-central-key \
            --query "Stacks[0].Outputs[?OutputKey=='CentralKeyArn'].OutputValue" --output text
    done
    echo "Put the ARNs into [central_key] of the campaign file, and render again: rules and guardrails name them."
}

security() { # the security account, 111122223333
    aws cloudformation deploy --region "$home_region" --stack-name orgseal-security-account \
        --template-file "$here/cloudformation/security-account.json" --capabilities CAPABILITY_NAMED_IAM
    echo "Attach the policy orgseal-caller to whoever runs orgseal."
}

documents() { # the management account, or a delegated administrator of StackSets
    : "${ROOT_OR_OU:?name the root (r-…) or the OUs that are to have the documents}"
    aws cloudformation create-stack-set --region "$home_region" --stack-set-name orgseal-documents \
        --template-body "file://$here/cloudformation/documents.json" \
        --permission-model SERVICE_MANAGED --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false
    aws cloudformation create-stack-instances --region "$home_region" --stack-set-name orgseal-documents \
        --deployment-targets "OrganizationalUnitIds=$ROOT_OR_OU" --regions "${regions[@]}" \
        --operation-preferences MaxConcurrentPercentage=10,FailureTolerancePercentage=5
}

members() { # the management account, or a delegated administrator of StackSets (then with --call-as DELEGATED_ADMIN)
    : "${ROOT_OR_OU:?name the root (r-…) or the OUs that are to have the roles}"
    : "${EXTERNAL_ID:?member_role.external_id of the campaign file}"
    aws cloudformation create-stack-set --region "$home_region" --stack-set-name orgseal-member-roles \
        --template-body "file://$here/cloudformation/member-roles.json" --capabilities CAPABILITY_NAMED_IAM \
        --permission-model SERVICE_MANAGED --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false \
        --parameters "ParameterKey=ExternalId,ParameterValue=$EXTERNAL_ID"
    aws cloudformation create-stack-instances --region "$home_region" --stack-set-name orgseal-member-roles \
        --deployment-targets "OrganizationalUnitIds=$ROOT_OR_OU" --regions "$home_region" \
        --operation-preferences MaxConcurrentPercentage=10,FailureTolerancePercentage=5
    echo "StackSets never reach the management account: its roles are a stack of its own (cloudformation/README.md)."
}

organization() { # the management account, or a delegated administrator of AWS Config and of Organizations policies
    for region in "${regions[@]}"; do
        aws configservice put-organization-conformance-pack --region "$region" \
            --organization-conformance-pack-name orgseal --template-body "file://$here/aws-config/conformance-pack.yaml"
    done
    for policy in scp-other-key:SERVICE rcp-other-key:RESOURCE scp-keep-seal:SERVICE scp-keep-key:SERVICE; do
        aws organizations create-policy --name "orgseal-${policy%%:*}" --type "${policy##*:}_CONTROL_POLICY" \
            --description "orgseal, see guardrails/README.md" --tags Key=orgseal,Value=bootstrap \
            --content "file://$here/guardrails/${policy%%:*}.min.json"
    done
    echo "Nothing is attached: guardrails/README.md says what to attach where, and when."
}

case "${1:-}" in
keys | security | documents | members | organization) "$1" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 1
    ;;
esac
