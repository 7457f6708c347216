#!/usr/bin/env bash
# The groundwork of orgseal by AWS commands, in order. Each step says with whose credentials it is run; read it before you run it, step
# by step: a step that was done once fails the second time, and says so. `access` and `check` may be repeated.
#
#   ./deploy.sh STEP        with STEP one of: access, check, keys, security, documents, members, organization
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
home_region=us-east-1
regions=(us-east-1 eu-west-1)
security_account=111122223333
stack_sets=member.org.stacksets.cloudformation.amazonaws.com
config_packs='config-multiaccountsetup.amazonaws.com'
config=config.amazonaws.com

access() { # the management account, before everything else: trusted access, delegated administrators, policy types
    local service registered type root enabled status
    status="$(aws cloudformation describe-organizations-access --region "$home_region" --query Status --output text)"
    [ "$status" = ENABLED ] || aws cloudformation activate-organizations-access --region "$home_region"
    for service in "$config" "$config_packs"; do
        aws organizations enable-aws-service-access --service-principal "$service"
    done
    registered=" $(delegated_services) "
    for service in "$stack_sets" "$config" "$config_packs"; do
        [[ $registered = *" $service "* ]] || aws organizations register-delegated-administrator \
            --account-id "$security_account" --service-principal "$service"
    done
    root="$(aws organizations list-roots --query 'Roots[0].Id' --output text)"
    enabled=" $(policy_types) "
    for type in SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY; do
        [[ $enabled = *" $type "* ]] || aws organizations enable-policy-type --root-id "$root" --policy-type "$type" \
            --query 'Root.Id' --output text
    done
    for _ in 1 2 3 4 5 6 7 8 9 10; do # a policy type is PENDING_ENABLE first
        enabled=" $(policy_types) "
        [[ $enabled = *" SERVICE_CONTROL_POLICY "* && $enabled = *" RESOURCE_CONTROL_POLICY "* ]] && break
        sleep 3
    done
    check
}

check() { # the management account, or a delegated administrator: what is still to be enabled or registered
    requires "$stack_sets" "$config" "$config_packs" delegated SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY
    echo "Trusted access, delegated administrators and policy types are as orgseal needs them."
}

# Words of a list, apart by single spaces.
words() { tr -s '[:space:]' ' ' | sed 's/^ //; s/ $//'; }
trusted_services() {
    aws organizations list-aws-service-access-for-organization \
        --query 'EnabledServicePrincipals[].ServicePrincipal' --output text | words
}
delegated_services() {
    local administrators
    administrators="$(aws organizations list-delegated-administrators --query 'DelegatedAdministrators[].Id' --output text)"
    # ListDelegatedServicesForAccount is refused for an account that is no administrator.
    [[ $administrators = *"$security_account"* ]] || return 0
    aws organizations list-delegated-services-for-account --account-id "$security_account" \
        --query 'DelegatedServices[].ServicePrincipal' --output text | words
}
policy_types() {
    aws organizations list-roots --query "Roots[0].PolicyTypes[?Status=='ENABLED'].Type" --output text | words
}

# Ends the step where something is not enabled or registered: services with trusted access, `delegated` for the security account as
# their administrator, policy types.
requires() {
    local needed service trusted registered types missing=()
    trusted=" $(trusted_services) "
    registered=" $(delegated_services) "
    types=" $(policy_types) "
    for needed in "$@"; do
        case "$needed" in
        delegated)
            for service in "$stack_sets" "$config" "$config_packs"; do
                [[ $registered = *" $service "* ]] ||
                    missing+=("account $security_account is not a delegated administrator for $service")
            done
            ;;
        *_POLICY) [[ $types = *" $needed "* ]] || missing+=("policy type $needed is not enabled") ;;
        *) [[ $trusted = *" $needed "* ]] || missing+=("trusted access is not enabled for $needed") ;;
        esac
    done
    [ "${#missing[@]}" -eq 0 ] && return
    printf 'The organization is not ready: %s\n' "${missing[@]}" >&2
    echo "Run ./deploy.sh access with the management account's credentials first." >&2
    exit 1
}

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
    requires "$config" delegated
    aws cloudformation deploy --region "$home_region" --stack-name orgseal-security-account \
        --template-file "$here/cloudformation/security-account.json" --capabilities CAPABILITY_NAMED_IAM
    echo "Attach the policy orgseal-caller to whoever runs orgseal."
}

documents() { # the management account, or a delegated administrator of StackSets
    requires "$stack_sets"
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
    requires "$stack_sets"
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
    requires "$config_packs" SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY
    for region in "${regions[@]}"; do
        aws configservice put-organization-conformance-pack --region "$region" --organization-conformance-pack-name orgseal \
            --template-body "file://$here/aws-config/conformance-pack-$region.yaml"
    done
    for policy in scp-other-key:SERVICE rcp-other-key:RESOURCE scp-keep-seal:SERVICE scp-keep-key:SERVICE; do
        aws organizations create-policy --name "orgseal-${policy%%:*}" --type "${policy##*:}_CONTROL_POLICY" \
            --description "orgseal, see guardrails/README.md" --tags Key=orgseal,Value=bootstrap \
            --content "file://$here/guardrails/${policy%%:*}.min.json"
    done
    echo "Nothing is attached: guardrails/README.md says what to attach where, and when."
}

case "${1:-}" in
access | check | keys | security | documents | members | organization) "$1" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 1
    ;;
esac
