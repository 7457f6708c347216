//! Lists of things that IAM has and this sandbox does not: each is empty, after whoever asks was allowed to, and after the user
//! or role that is named was found.

use super::{Call, input, users};
use crate::wire::error::AwsError;

/// Operation, the list in its answer, and whether it comes in pages.
const LISTS: &[(&str, &str, bool)] = &[
    ("ListInstanceProfiles", "InstanceProfiles", true),
    ("ListInstanceProfilesForRole", "InstanceProfiles", true),
    ("ListMFADevices", "MFADevices", true),
    ("ListOpenIDConnectProviders", "OpenIDConnectProviderList", false),
    ("ListSAMLProviders", "SAMLProviderList", false),
    ("ListServerCertificates", "ServerCertificateMetadataList", true),
    ("ListServiceSpecificCredentials", "ServiceSpecificCredentials", false),
    ("ListSigningCertificates", "Certificates", true),
    ("ListSSHPublicKeys", "SSHPublicKeys", true),
    ("ListUserTags", "Tags", true),
    ("ListVirtualMFADevices", "VirtualMFADevices", true),
];

/// The parameters of such an operation.
pub(super) fn parameters(operation: &str) -> Option<&'static [&'static str]> {
    LISTS.iter().find(|(name, ..)| *name == operation)?;
    Some(match operation {
        "ListInstanceProfiles" | "ListServerCertificates" => &["PathPrefix", "Marker", "MaxItems"],
        "ListInstanceProfilesForRole" => &["RoleName", "Marker", "MaxItems"],
        "ListOpenIDConnectProviders" | "ListSAMLProviders" => &[],
        "ListServiceSpecificCredentials" => &["UserName", "ServiceName", "AllUsers", "Marker", "MaxItems"],
        "ListVirtualMFADevices" => &["AssignmentStatus", "Marker", "MaxItems"],
        _ => &["UserName", "Marker", "MaxItems"],
    })
}

/// `None`: it is no such operation.
pub(super) fn answer(call: &Call<'_>, operation: &str) -> Option<Result<String, AwsError>> {
    let (_, list, paged) = LISTS.iter().find(|(name, ..)| *name == operation)?;
    Some(
        match operation {
            "ListInstanceProfilesForRole" => call.role().map(drop),
            "ListMFADevices" | "ListUserTags" | "ListSigningCertificates" | "ListSSHPublicKeys" => users::named(call),
            _ => Ok(()),
        }
        .and_then(|()| match paged {
            true => input::page(call.form, list, &[]),
            false => Ok(format!("<{list}/>\n")),
        }),
    )
}
