//! Who uses a bucket, and who owns it: roles that lack the key, replication, service-linked roles, controllers, AWS's own accounts,
//! unsigned readers. Each is found before the change, named once, and given what it lacks.

use serde_json::Value;

use crate::world::{World, block_on, finding};

const ACCOUNT: &str = "111122223333";

/// Two accounts with buckets and roles of their own, and nothing else in the organization.
fn world(buckets: &str, roles: &str) -> World {
    World::of(&format!(
        "accounts = 3\nsuspended = 0\nwithout_member_role = 0\nregions = [\"us-east-1\", \"eu-west-1\"]\nbuckets_per_account = 0\n\
         [[account]]\nname = \"data\"\nid = \"{ACCOUNT}\"\n{buckets}\n{roles}\n"
    ))
}

fn bucket(name: &str, more: &str) -> String {
    format!("[[account.buckets]]\nname = \"{name}\"\nencryption = \"sse_s3\"\n{more}\n")
}

fn role(name: &str, service: &str, statements: &str) -> String {
    format!(
        "[[account.roles]]\nname = \"{name}\"\n\
         trust = '''{{ \"Version\": \"2012-10-17\", \"Statement\": [ {{ \"Effect\": \"Allow\", \"Principal\": {{ \"Service\": \"{service}\" }}, \"Action\": \"sts:AssumeRole\" }} ] }}'''\n\
         policy = '''{{ \"Version\": \"2012-10-17\", \"Statement\": [ {statements} ] }}'''\n"
    )
}

fn allow(actions: &str, resource: &str) -> String {
    format!(r#"{{ "Effect": "Allow", "Action": [{actions}], "Resource": "{resource}" }}"#)
}

/// The plan file that a plan writes, what it prints, and its Markdown.
fn plan(world: &World) -> (Value, String, String) {
    let run = world.run(&["plan", "--output", "plan.json", "--markdown", "plan.md"]);
    assert!([0, 2].contains(&run.code), "{}\n{}", run.stdout, run.stderr);
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    (serde_json::from_str(&read("plan.json")).unwrap(), run.stdout, read("plan.md"))
}

fn planned<'a>(plan: &'a Value, bucket: &str) -> &'a Value {
    plan["buckets"].as_array().unwrap().iter().find(|one| one["bucket"] == bucket).unwrap()
}

/// What a guard says of a planned bucket.
#[track_caller]
fn said<'a>(plan: &'a Value, bucket: &str, guard: &str) -> &'a Value {
    let planned = planned(plan, bucket);
    assert_eq!(planned["decision"], "hold", "{planned:#}");
    let guards = planned["guards"].as_array().unwrap();
    guards.iter().find(|one| one["guard"] == guard).unwrap_or_else(|| panic!("{guard}: {planned:#}"))
}

#[test]
fn a_role_that_many_buckets_lack_is_named_once_for_its_account() {
    let buckets: String = (1..=15).map(|n| bucket(&format!("shop-{n}"), "region = \"eu-west-1\"")).collect();
    let permission_set = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_ReadOnly_0a1b2c3d4e5f6071";
    let roles = role("prowler-scan", "ec2.amazonaws.com", &allow(r#""s3:GetObject*", "s3:GetBucket*""#, "*"))
        + &role(permission_set, "sso.amazonaws.com", &allow(r#""s3:Get*", "s3:List*""#, "*"))
        + &role("AWSControlTowerExecution", "cloudformation.amazonaws.com", &allow(r#""*""#, "*"))
        + &role("app", "ec2.amazonaws.com", &allow(r#""s3:PutObject""#, "arn:aws:s3:::shop-1/*"));
    let world = world(&buckets, &roles);
    let (plan, screen, markdown) = plan(&world);
    let principals = plan["blocking_principals"].as_array().unwrap();
    let found: Vec<_> = principals
        .iter()
        .map(|one| {
            let name = one["principal"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            (name, one["buckets"].as_u64().unwrap(), one["lacks"].to_string(), one["account"].as_str().unwrap())
        })
        .collect();
    let reader = r#"["kms:Decrypt"]"#.to_owned();
    assert_eq!(
        found,
        [
            ("AWSReservedSSO_ReadOnly_0a1b2c3d4e5f6071".to_owned(), 15, reader.clone(), ACCOUNT),
            ("prowler-scan".to_owned(), 15, reader, ACCOUNT),
            ("app".to_owned(), 1, r#"["kms:GenerateDataKey","kms:Decrypt"]"#.to_owned(), ACCOUNT),
        ]
    );
    let fix = principals[1]["fixes"][0].as_str().unwrap();
    assert!(
        fix.starts_with(r#"add to the policies of role/prowler-scan {"Effect":"Allow","Action":["kms:Decrypt"],"#),
        "{fix}"
    );
    assert!(fix.contains(&world.key("eu-west-1")) && !fix.contains("GenerateDataKey"), "{fix}");
    let fix = principals[0]["fixes"][0].as_str().unwrap();
    assert!(fix.starts_with("add to the IAM Identity Center permission set of role/aws-reserved/"), "{fix}");
    assert!(screen.contains("role/prowler-scan blocks 15 buckets of this account: it lacks kms:Decrypt"), "{screen}");
    for text in [&screen, &markdown] {
        let lines = text
            .lines()
            .filter(|line| line.contains("prowler-scan blocks") || line.contains(":role/prowler-scan"))
            .count();
        assert_eq!(lines, 1, "{text}");
    }
    assert!(!screen.contains("AWSControlTowerExecution"));
}

#[test]
fn a_replication_role_without_the_key_is_found_and_would_fail() {
    let replicates = [
        allow(r#""s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl""#, "arn:aws:s3:::orders/*"),
        allow(r#""s3:ReplicateObject", "s3:ReplicateDelete""#, "arn:aws:s3:::orders-copy/*"),
        allow(r#""kms:Decrypt""#, &format!("arn:aws:kms:*:{ACCOUNT}:key/*")),
        allow(r#""kms:Encrypt""#, "*"),
    ];
    let copy =
        "[[account.buckets]]\nname = \"orders-copy\"\nregion = \"eu-west-1\"\nencryption = \"sealed\"\n".to_owned();
    let world =
        world(&(bucket("orders", "") + &copy), &role("s3-replication", "s3.amazonaws.com", &replicates.join(", ")));
    let session = || world.assume(ACCOUNT, "OrganizationAccountAccessRole");
    let (s3, there) = (world.s3("us-east-1", session()), world.s3("eu-west-1", session()));
    use aws_sdk_s3::types::{
        BucketVersioningStatus, DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination,
        EncryptionConfiguration, ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
        ReplicationRuleStatus, SourceSelectionCriteria, SseKmsEncryptedObjects, SseKmsEncryptedObjectsStatus,
        VersioningConfiguration,
    };
    for (client, name) in [(&s3, "orders"), (&there, "orders-copy")] {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        block_on(client.put_bucket_versioning().bucket(name).versioning_configuration(enabled).send()).unwrap();
    }
    let selects = SseKmsEncryptedObjects::builder().status(SseKmsEncryptedObjectsStatus::Enabled).build().unwrap();
    let replica_key = EncryptionConfiguration::builder().replica_kms_key_id(world.key("eu-west-1")).build();
    let no_markers = DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Disabled).build();
    let rule = ReplicationRule::builder()
        .id("all")
        .status(ReplicationRuleStatus::Enabled)
        .priority(1)
        .filter(ReplicationRuleFilter::builder().build())
        .delete_marker_replication(no_markers)
        .source_selection_criteria(SourceSelectionCriteria::builder().sse_kms_encrypted_objects(selects).build())
        .destination(
            Destination::builder()
                .bucket("arn:aws:s3:::orders-copy")
                .encryption_configuration(replica_key)
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/s3-replication");
    let rules = ReplicationConfiguration::builder().role(&role).rules(rule).build().unwrap();
    block_on(s3.put_bucket_replication().bucket("orders").replication_configuration(rules).send()).unwrap();

    let replication = |key: &str| {
        block_on(s3.put_object().bucket("orders").key(key).body(b"a".to_vec().into()).send()).unwrap();
        let head = block_on(s3.head_object().bucket("orders").key(key).send()).unwrap();
        head.replication_status().map(|status| status.as_str().to_owned())
    };
    assert_eq!(replication("before").as_deref(), Some("COMPLETED"));
    let (plan, ..) = plan(&world);
    let evidence = said(&plan, "orders", "principals-without-key")["evidence"].to_string();
    for part in [
        role.as_str(),
        "replicate objects from this bucket",
        "as the role of replication rule all",
        "lacks kms:Decrypt",
    ] {
        assert!(evidence.contains(part), "{part}: {evidence}");
    }
    // It was right: changed all the same, new objects are no longer replicated.
    let (_, document) = world.json(&["rollout", "--yes", "--set", "guards.principals-without-key=warn"]);
    assert_eq!(finding(&document, "orders")["verdict"], "sealed", "{document:#}");
    assert_eq!(replication("after").as_deref(), Some("FAILED"));
}

#[test]
fn service_linked_roles_are_asked_like_others() {
    let objects = r#""s3:GetObject", "s3:PutObject""#;
    let roles = role(
        "aws-service-role/lakeformation.amazonaws.com/AWSServiceRoleForLakeFormationDataAccess",
        "lakeformation.amazonaws.com",
        &allow(objects, "arn:aws:s3:::lake-raw/*"),
    ) + &role(
        "aws-service-role/macie.amazonaws.com/AWSServiceRoleForAmazonMacie",
        "macie.amazonaws.com",
        &allow(r#""s3:GetObject""#, "*"),
    );
    let world = world(&(bucket("lake-raw", "") + &bucket("plain", "region = \"eu-west-1\"")), &roles);
    let (plan, screen, markdown) = plan(&world);
    let held = said(&plan, "lake-raw", "principals-without-key");
    assert!(held["evidence"].to_string().contains("AWSServiceRoleForLakeFormationDataAccess"), "{held:#}");
    assert!(held["hint"].as_str().unwrap().contains("register the location in Lake Formation with a role of your own"));
    assert!(!held["evidence"].to_string().contains("Macie"), "{held:#}");
    assert_eq!(planned(&plan, "plain")["decision"], "change");
    let warnings = plan["account_warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "once for the account: {warnings:#?}");
    assert!(warnings[0]["says"].as_str().unwrap().contains("Macie will not be able to read objects"), "{warnings:#?}");
    for text in [screen, markdown] {
        assert_eq!(text.matches("Macie will not be able to read objects").count(), 1, "{text}");
    }
    let (code, preflight) = world.json(&["preflight", "--account", ACCOUNT]);
    let checks = preflight["accounts"][0]["checks"].as_array().unwrap();
    let [check] = checks.iter().filter(|one| one["kind"] == "service_linked_roles").collect::<Vec<_>>()[..] else {
        panic!("{checks:#?}")
    };
    assert_eq!((code, check["standing"].as_str()), (0, Some("warning")), "{check:#}");
    assert!(check["message"].as_str().unwrap().contains("Macie will not be able to read objects"), "{check:#}");
    assert!(check["fix"].as_str().unwrap().contains("aws kms create-grant"), "{check:#}");
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.stderr.matches("Macie will not be able to read objects").count(), 1, "{}", run.stderr);
}

/// The sandbox has access points, and no requests through them: the callers are found by their policies.
#[test]
fn callers_of_an_object_lambda_access_point_are_found_by_the_supporting_access_point() {
    let policy = r#"{ "Version": "2012-10-17", "Statement": [ { "Sid": "ToPoints", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": { "StringEquals": { "s3:DataAccessPointAccount": "111122223333" } } } ] }"#;
    let photos = bucket("photos", &format!("policy = '''{policy}'''\naccess_points = [{{ name = \"supporting\" }}]"));
    let called_via = r#"{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:us-east-1:111122223333:accesspoint/supporting/object/*", "Condition": { "ForAnyValue:StringEquals": { "aws:CalledVia": "s3-object-lambda.amazonaws.com" } } }"#;
    let invokes = allow(r#""s3-object-lambda:GetObject", "lambda:InvokeFunction""#, "*");
    let roles = role("viewer", "ec2.amazonaws.com", &format!("{invokes}, {called_via}"))
        + &role("resize", "lambda.amazonaws.com", &allow(r#""s3-object-lambda:WriteGetObjectResponse""#, "*"));
    let (plan, ..) = plan(&world(&photos, &roles));
    let held = said(&plan, "photos", "principals-without-key");
    let evidence = held["evidence"].to_string();
    assert!(
        evidence.contains("role/viewer may possibly, under conditions, read (access point supporting:"),
        "{held:#}"
    );
    assert!(!evidence.contains("role/resize"), "{held:#}");
    assert!(evidence.contains("lacks kms:Decrypt"), "{held:#}");
}

#[test]
fn owners_that_apply_their_own_configuration_are_known_by_their_tags() {
    let tagged = |name: &str, tags: &str| bucket(name, &format!("tags = {{ {tags} }}"));
    let buckets = tagged("ack", r#""services.k8s.aws/controller-version" = "s3-v1.11.0""#)
        + &tagged("crossplane", r#""crossplane-kind" = "bucket.s3.aws.upbound.io""#)
        + &tagged("opentofu", r#""managed-by" = "OpenTofu""#)
        + &tagged("pulumi", r#""pulumi:stack" = "prod""#)
        + &tagged("terraform", r#""ManagedBy" = "Terraform""#)
        + &tagged("deployer", r#""deployer" = "blue""#);
    let world = world(&buckets, "");
    world.edit(|text| format!("{text}\n[guards]\nowner_tags = [\"deploy*\"]\n"));
    let (plan, ..) = plan(&world);
    for (name, owner) in [
        ("ack", "AWS Controllers for Kubernetes (ACK), re-applied within minutes"),
        ("crossplane", "Crossplane, re-applied within minutes"),
        ("opentofu", "OpenTofu"),
        ("pulumi", "Pulumi"),
        ("terraform", "Terraform"),
        ("deployer", "guards.owner_tags"),
    ] {
        let word = said(&plan, name, "infrastructure-as-code");
        assert!(word["evidence"].to_string().contains(owner), "{word:#}");
        assert_eq!(
            word["says"].as_str().unwrap().contains("within minutes"),
            ["ack", "crossplane"].contains(&name),
            "{word:#}"
        );
    }
}

#[test]
fn accounts_of_aws_are_never_to_be_trusted_and_unsigned_readers_get_no_key() {
    let statement = |name: &str, principal: &str, action: &str, condition: &str| {
        let text = format!(
            r#"{{ "Version": "2012-10-17", "Statement": [ {{ "Sid": "S", "Effect": "Allow", "Principal": {principal}, "Action": "{action}", "Resource": "arn:aws:s3:::{name}/*"{condition} }} ] }}"#
        );
        bucket(name, &format!("policy = '''{text}'''"))
    };
    let delivery = [
        ("redshift", r#"{ "AWS": "arn:aws:iam::193672423079:user/logs" }"#, "log-destinations"),
        ("billing", r#"{ "AWS": "arn:aws:iam::386209384616:root" }"#, "log-destinations"),
        ("old-trail", r#"{ "AWS": "arn:aws:iam::086441151436:root" }"#, "log-destinations"),
        ("elb", r#"{ "AWS": "arn:aws:iam::127311923021:root" }"#, "load-balancer-log-target"),
        ("elb-bare-id", r#"{ "AWS": "127311923021" }"#, "load-balancer-log-target"),
    ];
    let network = [
        ("office", r#""IpAddress": { "aws:SourceIp": ["203.0.113.0/24"] }"#),
        ("packages-vpce", r#""StringEquals": { "aws:SourceVpce": "vpce-0a1b2c3d4e5f60718" }"#),
        ("packages-vpc", r#""StringEquals": { "aws:SourceVpc": "vpc-0a1b2c3d4e5f60718" }"#),
        ("referer", r#""StringLike": { "aws:Referer": "https://www.example.com/*" }"#),
    ];
    let mut buckets: String =
        delivery.iter().map(|(name, principal, _)| statement(name, principal, "s3:PutObject", "")).collect();
    let under = |condition: &str| format!(r#", "Condition": {{ {condition} }}"#);
    buckets
        .extend(network.iter().map(|(name, condition)| statement(name, r#""*""#, "s3:GetObject", &under(condition))));
    let world = world(&buckets, "");
    let (plan, screen, _) = plan(&world);
    for fix in ["Redshift audit logs support SSE-S3 only", "service principal cloudtrail.amazonaws.com"] {
        assert!(screen.split_whitespace().collect::<Vec<_>>().join(" ").contains(fix), "{fix}: {screen}");
    }
    for (name, _, guard) in delivery {
        let word = said(&plan, name, guard);
        assert!(word["evidence"].to_string().contains("AWS's own account for"), "{word:#}");
        assert!(!planned(&plan, name).to_string().contains("trusted_accounts"), "{:#}", planned(&plan, name));
    }
    for (name, _) in network {
        let word = said(&plan, name, "public-access");
        assert!(word["evidence"].to_string().contains("with unsigned requests as well"), "{word:#}");
        assert!(word["hint"].as_str().unwrap().contains("sign their requests"), "{word:#}");
        let text = planned(&plan, name).to_string();
        assert!(!text.contains("trusted_accounts") && !text.contains("add to the"), "{text}");
    }
}
