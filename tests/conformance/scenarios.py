"""What a tool does with S3, KMS, Systems Manager and IAM, as scenarios that run against anything that speaks AWS's protocols.

A scenario takes a `Walk`, makes its calls through it and so leaves notes: a label and what came of the call, an error's code
or the part of the answer that is not an id, a time or a name of the moment. `test_scenarios` holds the sandbox's notes against
`expected`, what AWS documents; `test_against_moto` holds moto's against the same, each difference explained.
"""

import json
import uuid

import botocore.exceptions

OUTSIDER = "999999999999"
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})
PERMISSION = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:PutEncryptionConfiguration", "Resource": "arn:aws:s3:::*"}],
})
RUNBOOK = json.dumps({
    "schemaVersion": "0.3",
    "mainSteps": [{"name": "Nap", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": True}],
})


class Walk:
    """Makes calls and notes what comes of them."""

    def __init__(self, client, shape=None):
        self.client = client
        self.shape = shape
        self.notes = {}

    def __call__(self, label, api, operation, pick=None, **arguments):
        """Calls `operation`; notes `pick(answer)`, or "ok", or the error's code and status. Gives the answer or None."""
        assert label not in self.notes, label
        try:
            answer = getattr(api, operation)(**arguments)
        except botocore.exceptions.ClientError as error:
            response = error.response
            self.notes[label] = f"{response['Error']['Code']} {response['ResponseMetadata']['HTTPStatusCode']}"
            return None
        if self.shape:
            self.shape(api, api.meta.method_to_api_mapping[operation], answer)
        self.notes[label] = pick(answer) if pick else "ok"
        return answer

    def note(self, label, value):
        self.notes[label] = value


def name(kind):
    return f"conformance-{kind}-{uuid.uuid4().hex[:12]}"


def without(answer, *names):
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", *names)}


def bucket_life(walk):
    s3, abroad = walk.client("s3", "us-east-1"), walk.client("s3", "eu-west-1")
    bucket, other = name("life"), name("abroad")
    walk("a name with capitals", s3, "create_bucket", Bucket="Conformance-Capitals")
    walk("a bucket", s3, "create_bucket", Bucket=bucket)
    walk("the same again in us-east-1", s3, "create_bucket", Bucket=bucket)
    walk("without a location elsewhere", abroad, "create_bucket", Bucket=name("nowhere"))
    ireland = {"LocationConstraint": "eu-west-1"}
    walk("a bucket elsewhere", abroad, "create_bucket", Bucket=other, CreateBucketConfiguration=ireland)
    walk("the same again elsewhere", abroad, "create_bucket", Bucket=other, CreateBucketConfiguration=ireland)
    s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    walk("where it is", s3, "get_bucket_location", lambda a: a["LocationConstraint"], Bucket=other)
    walk("its encryption", s3, "get_bucket_encryption", lambda a: a["ServerSideEncryptionConfiguration"], Bucket=bucket)
    walk("its public access block", s3, "get_public_access_block", lambda a: a["PublicAccessBlockConfiguration"], Bucket=bucket)
    walk("its ownership", s3, "get_bucket_ownership_controls", lambda a: a["OwnershipControls"], Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    walk("deleted with an object in it", s3, "delete_bucket", Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    walk("deleted", s3, "delete_bucket", Bucket=bucket)
    walk("deleted again", s3, "delete_bucket", Bucket=bucket)
    s3.get_waiter("bucket_not_exists").wait(Bucket=bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    walk("taken anew", s3, "create_bucket", Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)
    abroad.delete_bucket(Bucket=other)


def policy_of(bucket, principal):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]})


def bucket_configurations(walk):
    s3 = walk.client("s3", "us-east-1")
    bucket, target = name("configured"), name("target")
    for each in (bucket, target):
        s3.create_bucket(Bucket=each)
        s3.delete_public_access_block(Bucket=each)
    here = {"Bucket": bucket}
    walk("no policy", s3, "get_bucket_policy", **here)
    walk("no policy to judge", s3, "get_bucket_policy_status", **here)
    walk("a policy that is no JSON", s3, "put_bucket_policy", Policy="{", **here)
    walk("a policy for another bucket", s3, "put_bucket_policy", Policy=policy_of("another", "*"), **here)
    walk("a public policy", s3, "put_bucket_policy", Policy=policy_of(bucket, "*"), **here)
    walk("the policy", s3, "get_bucket_policy", lambda a: json.loads(a["Policy"]) == json.loads(policy_of(bucket, "*")), **here)
    walk("public", s3, "get_bucket_policy_status", lambda a: a["PolicyStatus"], **here)
    walk("policy deleted", s3, "delete_bucket_policy", **here)
    walk("policy gone", s3, "get_bucket_policy", **here)

    walk("no logging", s3, "get_bucket_logging", without, **here)
    logging = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "log/"}}
    delivery = [{"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
                 "Resource": f"arn:aws:s3:::{target}/*"}]
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": delivery}))
    walk("logging put", s3, "put_bucket_logging", BucketLoggingStatus=logging, **here)
    walk("logging", s3, "get_bucket_logging", lambda a: without(a) == logging, **here)

    website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
    walk("no website", s3, "get_bucket_website", **here)
    walk("website put", s3, "put_bucket_website", WebsiteConfiguration=website, **here)
    walk("website", s3, "get_bucket_website", without, **here)
    walk("website deleted", s3, "delete_bucket_website", **here)
    walk("website gone", s3, "get_bucket_website", **here)

    walk("no tags", s3, "get_bucket_tagging", **here)
    tags = {"TagSet": [{"Key": "team", "Value": "a & b"}]}
    walk("tags put", s3, "put_bucket_tagging", Tagging=tags, **here)
    walk("tags", s3, "get_bucket_tagging", without, **here)
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    walk("a tag twice", s3, "put_bucket_tagging", Tagging=twice, **here)
    aws = {"TagSet": [{"Key": "aws:mine", "Value": "1"}]}
    walk("a system tag", s3, "put_bucket_tagging", Tagging=aws, **here)
    walk("tags deleted", s3, "delete_bucket_tagging", **here)
    walk("tags gone", s3, "get_bucket_tagging", **here)

    rule = {"ID": "all", "Priority": 1, "Filter": {"Prefix": "p/"}, "Status": "Enabled",
            "Destination": {"Bucket": f"arn:aws:s3:::{target}"}, "DeleteMarkerReplication": {"Status": "Disabled"}}
    replication = {"Role": "arn:aws:iam::123456789012:role/replication", "Rules": [rule]}
    walk("no replication", s3, "get_bucket_replication", **here)
    walk("no versioning", s3, "get_bucket_versioning", without, **here)
    walk("replication without versioning", s3, "put_bucket_replication", ReplicationConfiguration=replication, **here)
    for each in (bucket, target):
        s3.put_bucket_versioning(Bucket=each, VersioningConfiguration={"Status": "Enabled"})
    walk("versioning", s3, "get_bucket_versioning", without, **here)
    walk("replication put", s3, "put_bucket_replication", ReplicationConfiguration=replication, **here)
    walk("replication", s3, "get_bucket_replication", lambda a: a["ReplicationConfiguration"] == replication, **here)
    walk("replication deleted", s3, "delete_bucket_replication", **here)
    walk("replication gone", s3, "get_bucket_replication", **here)

    block = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
    walk("no public access block", s3, "get_public_access_block", **here)
    walk("block put", s3, "put_public_access_block", PublicAccessBlockConfiguration=block, **here)
    walk("block", s3, "get_public_access_block", without, **here)
    walk("a public policy under the block", s3, "put_bucket_policy", Policy=policy_of(bucket, "*"), **here)
    walk("a policy for one account under the block", s3, "put_bucket_policy", Policy=policy_of(bucket, {"AWS": "123456789012"}), **here)
    walk("not public", s3, "get_bucket_policy_status", lambda a: a["PolicyStatus"], **here)
    walk("block deleted", s3, "delete_public_access_block", **here)
    walk("block gone", s3, "get_public_access_block", **here)

    walk("ownership deleted", s3, "delete_bucket_ownership_controls", **here)
    walk("ownership gone", s3, "get_bucket_ownership_controls", **here)
    walk("ownership put", s3, "put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, **here)
    walk("ownership", s3, "get_bucket_ownership_controls", lambda a: a["OwnershipControls"], **here)
    walk("the owner's grant", s3, "get_bucket_acl", lambda a: [(g["Grantee"]["Type"], g["Permission"]) for g in a["Grants"]], **here)
    walk("a canned ACL", s3, "put_bucket_acl", ACL="log-delivery-write", **here)
    walk("its grants", s3, "get_bucket_acl", lambda a: sorted((g["Grantee"].get("URI", ""), g["Permission"]) for g in a["Grants"]), **here)

    walk("no notifications", s3, "get_bucket_notification_configuration", without, **here)
    walk("notifications put", s3, "put_bucket_notification_configuration",
         NotificationConfiguration={"EventBridgeConfiguration": {}}, **here)
    walk("notifications", s3, "get_bucket_notification_configuration", without, **here)
    walk("no acceleration", s3, "get_bucket_accelerate_configuration", without, **here)
    walk("of a bucket that is not there", s3, "get_bucket_tagging", Bucket=name("never"))
    # The buckets stay: a server that delivers access logs keeps the target from being empty.


def empty(s3, bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=each["Key"])


def objects(walk):
    s3, kms = walk.client("s3", "us-east-1"), walk.client("kms", "us-east-1")
    bucket = name("objects")
    s3.create_bucket(Bucket=bucket)
    here = {"Bucket": bucket}
    sealed = lambda a: (a.get("ServerSideEncryption"), a.get("BucketKeyEnabled"), "SSEKMSKeyId" in a)
    walk("nothing there", s3, "get_object", Key="k", **here)
    walk("no head", s3, "head_object", Key="k", **here)
    walk("put", s3, "put_object", sealed, Key="a/k", Body=b"hello", Metadata={"who": "me"}, ContentType="text/plain", **here)
    s3.get_waiter("object_exists").wait(Key="a/k", WaiterConfig={"Delay": 1, "MaxAttempts": 2}, **here)
    read = lambda a: (a["Body"].read(), a["ContentType"], a["Metadata"], a["ContentLength"], a["ETag"], *sealed(a))
    walk("get", s3, "get_object", read, Key="a/k", **here)
    walk("a range", s3, "get_object", lambda a: (a["Body"].read(), a["ContentRange"]), Key="a/k", Range="bytes=1-3", **here)
    walk("a range outside", s3, "get_object", Key="a/k", Range="bytes=9-", **here)
    walk("head", s3, "head_object", lambda a: (a["ContentLength"], a["ETag"]), Key="a/k", **here)
    made = kms.create_key()["KeyMetadata"]
    key = made["Arn"]
    s3.put_bucket_encryption(ServerSideEncryptionConfiguration={"Rules": [{
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True,
        # Since April 2026 new buckets block SSE-C.
        "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}, **here)
    walk("put by default", s3, "put_object", sealed, Key="b", Body=b"x", **here)
    walk("get by default", s3, "get_object", lambda a: (sealed(a), a.get("SSEKMSKeyId") == key), Key="b", **here)
    walk("put with a header", s3, "put_object", sealed, Key="c", Body=b"x", ServerSideEncryption="AES256", **here)
    kms.disable_key(KeyId=made["KeyId"])
    walk("put under a disabled key", s3, "put_object", Key="d", Body=b"x", **here)
    walk("get under a disabled key", s3, "get_object", Key="b", **here)
    walk("what was SSE-S3 before", s3, "get_object", lambda a: a["Body"].read(), Key="a/k", **here)
    kms.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7)
    walk("put under a key pending deletion", s3, "put_object", Key="d", Body=b"x", **here)
    walk("put under a key that never was", s3, "put_object", Key="d", Body=b"x", ServerSideEncryption="aws:kms",
         SSEKMSKeyId=str(uuid.uuid4()), **here)
    walk("an algorithm that is none", s3, "put_object", Key="d", Body=b"x", ServerSideEncryption="rot13", **here)
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    walk("SSE-C", s3, "put_object", Key="e", Body=b"x", **customer, **here)
    first = walk("the first page", s3, "list_objects_v2", lambda a: ([o["Key"] for o in a["Contents"]], a["IsTruncated"], a["KeyCount"]), MaxKeys=2, **here)
    walk("the second page", s3, "list_objects_v2", lambda a: [o["Key"] for o in a["Contents"]], ContinuationToken=first["NextContinuationToken"], **here)
    walk("by prefix", s3, "list_objects_v2", lambda a: [o["Key"] for o in a["Contents"]], Prefix="a/", **here)
    walk("by delimiter", s3, "list_objects_v2", lambda a: ([o["Key"] for o in a["Contents"]], a["CommonPrefixes"]), Delimiter="/", MaxKeys=2, **here)
    walk("delete", s3, "delete_object", Key="a/k", **here)
    walk("delete what is gone", s3, "delete_object", Key="a/k", **here)
    empty(s3, bucket)
    s3.delete_bucket(**here)


def keys(walk):
    kms = walk.client("kms", "us-east-1")
    made = walk("a key", kms, "create_key", lambda a: {n: a["KeyMetadata"].get(n) for n in (
        "Enabled", "KeyState", "KeyUsage", "KeySpec", "KeyManager", "Origin", "MultiRegion", "Description")},
        Description="mine", Tags=[{"TagKey": "a", "TagValue": "b"}])
    key = made["KeyMetadata"]["KeyId"]
    alias = f"alias/{name('key')}"
    walk("an alias", kms, "create_alias", AliasName=alias, TargetKeyId=key)
    walk("the alias again", kms, "create_alias", AliasName=alias, TargetKeyId=key)
    walk("no alias", kms, "create_alias", AliasName="nothing", TargetKeyId=key)
    walk("a reserved alias", kms, "create_alias", AliasName="alias/aws/mine", TargetKeyId=key)
    walk("by alias", kms, "describe_key", lambda a: a["KeyMetadata"]["KeyId"] == key, KeyId=alias)
    aliases = [a for page in kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 2}) for a in page["Aliases"]]
    walk.note("the alias is listed", [a["TargetKeyId"] == key for a in aliases if a["AliasName"] == alias])
    listed = [k["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}) for k in page["Keys"]]
    walk.note("the key is listed", listed.count(key))
    walk("its policy", kms, "get_key_policy", lambda a: json.loads(a["Policy"])["Statement"][0]["Action"], KeyId=key, PolicyName="default")
    walk("a data key", kms, "generate_data_key", lambda a: len(a["Plaintext"]), KeyId=key, KeySpec="AES_256")
    walk("a data key of both sizes", kms, "generate_data_key", KeyId=key, KeySpec="AES_256", NumberOfBytes=4)
    walk("a dry run", kms, "generate_data_key", KeyId=key, KeySpec="AES_256", DryRun=True)
    secret = walk("encrypt", kms, "encrypt", KeyId=alias, Plaintext=b"secret", EncryptionContext={"a": "b"})
    blob = secret["CiphertextBlob"]
    walk("decrypt", kms, "decrypt", lambda a: a["Plaintext"], CiphertextBlob=blob, EncryptionContext={"a": "b"})
    walk("decrypt in another context", kms, "decrypt", CiphertextBlob=blob, EncryptionContext={"a": "c"})
    walk("decrypt nonsense", kms, "decrypt", CiphertextBlob=b"nonsense")
    walk("disable", kms, "disable_key", KeyId=key)
    state = lambda a: (a["KeyMetadata"]["KeyState"], a["KeyMetadata"]["Enabled"], "DeletionDate" in a["KeyMetadata"])
    walk("disabled", kms, "describe_key", state, KeyId=key)
    walk("a data key of a disabled key", kms, "generate_data_key", KeyId=key, KeySpec="AES_256")
    walk("enable", kms, "enable_key", KeyId=key)
    walk("a window too short", kms, "schedule_key_deletion", KeyId=key, PendingWindowInDays=6)
    walk("schedule deletion", kms, "schedule_key_deletion", lambda a: (a.get("KeyState"), a.get("PendingWindowInDays")), KeyId=key, PendingWindowInDays=7)
    walk("pending deletion", kms, "describe_key", state, KeyId=key)
    walk("a data key of a key pending deletion", kms, "generate_data_key", KeyId=key, KeySpec="AES_256")
    walk("enable a key pending deletion", kms, "enable_key", KeyId=key)
    walk("schedule again", kms, "schedule_key_deletion", KeyId=key)
    walk("cancel deletion", kms, "cancel_key_deletion", KeyId=key)
    walk("after the cancellation", kms, "describe_key", state, KeyId=key)
    walk("cancel again", kms, "cancel_key_deletion", KeyId=key)
    walk("a multi-Region key", kms, "create_key", lambda a: (
        a["KeyMetadata"]["KeyId"][:4], a["KeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"]), MultiRegion=True)
    walk("a key without material", kms, "create_key", lambda a: a["KeyMetadata"]["KeyState"], Origin="EXTERNAL")
    walk("delete the alias", kms, "delete_alias", AliasName=alias)
    walk("delete it again", kms, "delete_alias", AliasName=alias)
    kms.schedule_key_deletion(KeyId=key)


def roles(walk):
    iam = walk.client("iam", "us-east-1")
    role = name("role")
    shown = lambda a: (a["Role"]["RoleName"] == role, a["Role"]["Path"], a["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST),
                       a["Role"].get("MaxSessionDuration"), a["Role"]["Arn"].endswith(f":role/team/{role}"))
    walk("a role", iam, "create_role", shown, RoleName=role, Path="/team/", AssumeRolePolicyDocument=TRUST,
         Description="mine", Tags=[{"Key": "a", "Value": "b"}])
    walk("the role again", iam, "create_role", RoleName=role, AssumeRolePolicyDocument=TRUST)
    walk("a trust that is no JSON", iam, "create_role", RoleName=name("role"), AssumeRolePolicyDocument="{")
    walk("read", iam, "get_role", shown, RoleName=role)
    walk("a policy", iam, "put_role_policy", RoleName=role, PolicyName="seal", PolicyDocument=PERMISSION)
    walk("a policy that is no JSON", iam, "put_role_policy", RoleName=role, PolicyName="bad", PolicyDocument="{")
    walk("read the policy", iam, "get_role_policy", lambda a: a["PolicyDocument"] == json.loads(PERMISSION), RoleName=role, PolicyName="seal")
    walk("no such policy", iam, "get_role_policy", RoleName=role, PolicyName="other")
    walk("their names", iam, "list_role_policies", lambda a: a["PolicyNames"], RoleName=role)
    found = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}) for r in page["Roles"]]
    walk.note("listed", found.count(role))
    walk("delete with a policy", iam, "delete_role", RoleName=role)
    walk("delete the policy", iam, "delete_role_policy", RoleName=role, PolicyName="seal")
    walk("delete", iam, "delete_role", RoleName=role)
    walk("delete again", iam, "delete_role", RoleName=role)
    walk("read what is gone", iam, "get_role", RoleName=role)
    walk("no groups", iam, "list_groups", lambda a: a["Groups"])


def documents(walk):
    ssm = walk.client("ssm", "us-east-1")
    document = name("document")
    made = {"Name": document, "DocumentType": "Automation", "DocumentFormat": "JSON"}
    versions = lambda a: tuple(a["DocumentDescription"][n] for n in ("DocumentVersion", "LatestVersion", "DefaultVersion"))
    walk("a document", ssm, "create_document", versions, Content=RUNBOOK, VersionName="one", Tags=[{"Key": "a", "Value": "b"}], **made)
    walk("the document again", ssm, "create_document", Content=RUNBOOK, **made)
    walk("the same content", ssm, "update_document", Name=document, Content=RUNBOOK, DocumentVersion="$LATEST", DocumentFormat="JSON")
    newer = json.dumps({**json.loads(RUNBOOK), "description": "newer"})
    walk("new content", ssm, "update_document", versions, Name=document, Content=newer, DocumentVersion="$LATEST", DocumentFormat="JSON")
    read = lambda a: (a["DocumentVersion"], json.loads(a["Content"]).get("description"))
    walk("the default version", ssm, "get_document", read, Name=document)
    walk("the latest version", ssm, "get_document", read, Name=document, DocumentVersion="$LATEST")
    walk("a version that is not there", ssm, "get_document", Name=document, DocumentVersion="7")
    walk("all versions", ssm, "list_document_versions", lambda a: sorted((v["DocumentVersion"], v["IsDefaultVersion"]) for v in a["DocumentVersions"]), Name=document)
    walk("another default", ssm, "update_document_default_version", lambda a: a["Description"]["DefaultVersion"], Name=document, DocumentVersion="2")
    walk("a default that is not there", ssm, "update_document_default_version", Name=document, DocumentVersion="9")
    walk("the new default version", ssm, "get_document", read, Name=document)
    walk("listed", ssm, "list_documents", lambda a: [(d["Name"] == document, d["DocumentVersion"], d["DocumentType"]) for d in a["DocumentIdentifiers"]],
         Filters=[{"Key": "Name", "Values": [document]}, {"Key": "Owner", "Values": ["Self"]}])
    walk("not shared", ssm, "describe_document_permission", lambda a: a["AccountIds"], Name=document, PermissionType="Share")
    walk("shared", ssm, "modify_document_permission", Name=document, PermissionType="Share", AccountIdsToAdd=[OUTSIDER])
    walk("with whom", ssm, "describe_document_permission", lambda a: a["AccountIds"], Name=document, PermissionType="Share")
    walk("deleted while shared", ssm, "delete_document", Name=document)
    ssm.modify_document_permission(Name=document, PermissionType="Share", AccountIdsToRemove=[OUTSIDER])
    walk("tags", ssm, "list_tags_for_resource", lambda a: a["TagList"], ResourceType="Document", ResourceId=document)
    walk("tags added", ssm, "add_tags_to_resource", ResourceType="Document", ResourceId=document, Tags=[{"Key": "c", "Value": "d"}])
    walk("tags removed", ssm, "remove_tags_from_resource", ResourceType="Document", ResourceId=document, TagKeys=["a"])
    walk("tags now", ssm, "list_tags_for_resource", lambda a: a["TagList"], ResourceType="Document", ResourceId=document)
    walk("tags of nothing", ssm, "list_tags_for_resource", ResourceType="Document", ResourceId=name("never"))
    walk("the default version deleted", ssm, "delete_document", Name=document, DocumentVersion="2")
    walk("another version deleted", ssm, "delete_document", Name=document, DocumentVersion="1")
    walk("the deleted version", ssm, "get_document", Name=document, DocumentVersion="1")
    walk("all deleted", ssm, "delete_document", Name=document)
    walk("deleted again", ssm, "delete_document", Name=document)
    walk("described when gone", ssm, "describe_document", Name=document)


ALL = [bucket_life, bucket_configurations, objects, keys, roles, documents]
