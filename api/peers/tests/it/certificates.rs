use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use smartcart_peers::TlsFiles;

/// An authority, and a certificate of it for pods on this machine.
pub(crate) fn write(folder: &Path) -> TlsFiles {
    let mut about = CertificateParams::new(Vec::new()).unwrap();
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = about.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(about, authority_key);
    let key = KeyPair::generate().unwrap();
    let pod = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = pod.signed_by(&key, &issuer).unwrap().pem();
    let files = TlsFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        authority: folder.join("ca.crt"),
    };
    fs::write(&files.certificate, certificate).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    fs::write(&files.authority, authority).unwrap();
    files
}
