//! A file of CA certificates that replaces the trust store: `AWS_CA_BUNDLE`, or `ca_bundle` of the profile.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The only certificates that are trusted, and who says so.
#[derive(Clone)]
pub(super) struct CaBundle {
    path: PathBuf,
    setting: String,
    certificates: Vec<String>,
}

/// Why a bundle cannot be used.
#[derive(Debug)]
pub(super) struct UnusableBundle {
    pub(super) path: PathBuf,
    pub(super) setting: String,
    pub(super) why: String,
}

impl fmt::Display for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.setting)
    }
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaBundle({self})")
    }
}

impl CaBundle {
    /// The bundle in force. The variable wins over the profile, as in boto3; the SDK for Rust reads neither.
    pub(super) fn in_force(profiles: &ProfileSet) -> Result<Option<CaBundle>, UnusableBundle> {
        let variable = std::env::var("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty());
        let (path, setting) = match (variable, profiles.get("ca_bundle").filter(|path| !path.is_empty())) {
            (Some(path), _) => (path, "AWS_CA_BUNDLE".to_owned()),
            (None, Some(path)) => (path.to_owned(), format!("ca_bundle of profile {}", profiles.selected_profile())),
            (None, None) => return Ok(None),
        };
        let path = expand_home(&path);
        match read(&path) {
            Ok(certificates) => Ok(Some(CaBundle { path, setting, certificates })),
            Err(why) => Err(UnusableBundle { path, setting, why }),
        }
    }

    /// What TLS connections trust: these certificates and no others.
    pub(super) fn tls_context(&self) -> Result<TlsContext, UnusableBundle> {
        let store = self
            .certificates
            .iter()
            .fold(TrustStore::empty(), |store, certificate| store.with_pem_certificate(certificate.as_bytes()));
        TlsContext::builder().with_trust_store(store).build().map_err(|error| UnusableBundle {
            path: self.path.clone(),
            setting: self.setting.clone(),
            why: error.to_string(),
        })
    }
}

/// A profile is read by no shell.
fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// The certificates of a PEM file that TLS can use, each by itself. The SDK's TLS client panics over one that cannot be parsed; OpenSSL's
/// users are used to files with text and other sections between the certificates.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let sections = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let usable: Vec<String> = sections.filter_map(certificate).collect();
    if usable.is_empty() {
        return Err("it contains no PEM certificate".to_owned());
    }
    Ok(usable)
}

fn certificate(section: &str) -> Option<String> {
    let (body, _) = section.split_once("-----END CERTIFICATE-----")?;
    let pem = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n");
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    RootCertStore::empty().add(der).ok()?;
    Some(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed CA certificate, made for this test.
    const PEM: &str = include_str!("test_ca.pem");

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn certificates_are_taken_from_among_other_text() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text =
            format!("# Example CA\r\n{PEM}\n{broken}-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n{PEM}");
        assert_eq!(read(file(&text).path()).unwrap().len(), 2);
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        for text in [
            "",
            "no PEM",
            "-----BEGIN CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(read(file(text).path()).unwrap_err(), "it contains no PEM certificate", "{text}");
        }
        assert!(read(Path::new("/no/such/file.pem")).unwrap_err().contains("No such file"));
        assert!(read(&std::env::temp_dir()).is_err());
    }
}
