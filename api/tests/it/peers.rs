//! Whom a pod listens to: who shares the secret, or has a certificate of the fleet's authority.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use smartcart_api::{
    config::{PeerSettings, Settings},
    target::Target,
};
use smartcart_domain::id::IncarnationId;
use smartcart_engine::{
    clock::SystemClock,
    peers::{PeerError, Peers as _, ProbeResponse},
    registry::{Member, MemberState},
};
use smartcart_peers::{GrpcPeers, MessageSigner, PeerTls, TlsFiles, Trust};
use tempfile::TempDir;

use crate::support::{
    Request,
    fleet::{Fleet, FleetPod, TOKEN},
    until,
};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut about = CertificateParams::new(Vec::new()).unwrap();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = about.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(about, key), certificate }
    }

    /// A certificate for a pod on this machine, its key, and whom the pod trusts.
    fn write(&self, folder: &Path, trusted: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let about = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = about.signed_by(&key, &self.issuer).unwrap().pem();
        let files = TlsFiles {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            authority: folder.join("ca.crt"),
        };
        for (path, text) in [
            (&files.certificate, certificate.as_str()),
            (&files.key, &key.serialize_pem()),
            (&files.authority, trusted),
        ] {
            fs::write(path, text).unwrap();
        }
        files
    }

    fn files(&self) -> (TempDir, TlsFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = self.write(folder.path(), &self.certificate);
        (folder, files)
    }
}

fn under_tls(files: &TlsFiles) -> impl FnOnce(&mut Settings) {
    let files = files.clone();
    |settings| {
        settings.peers = PeerSettings {
            peer_secret_file: None,
            peer_tls_cert_file: Some(files.certificate),
            peer_tls_key_file: Some(files.key),
            peer_tls_ca_file: Some(files.authority),
            ..settings.peers.clone()
        };
    }
}

/// Asks a pod's listener for peers, as somebody.
async fn probe(trust: Trust, pod: &FleetPod) -> Result<ProbeResponse, PeerError> {
    let status = pod.status().await;
    let members = status["members"].as_array().unwrap();
    let own = members.iter().find(|member| member["pod"] == status["pod"]).unwrap();
    let member = Member {
        incarnation: own["incarnation"].as_str().unwrap().parse().unwrap(),
        pod: String::new(),
        address: own["address"].as_str().unwrap().to_owned(),
        owns_shards: true,
        heartbeat: 0,
        state: MemberState::Live,
        protocol: 1,
    };
    GrpcPeers::new(trust).probe(&member, IncarnationId(7)).await
}

async fn carts_cross(a: &FleetPod, b: &FleetPod) {
    for _ in 0..12 {
        let cart = a.cart().await;
        b.get(&cart).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_the_secret_is_not_heard() {
    let (fleet, a, b) = Fleet::of_two().await;
    carts_cross(&a, &b).await;
    let ours =
        Trust::Secret(Arc::new(MessageSigner::from_file(&fleet.folder.path().join("secret")).unwrap()));
    let probed = probe(ours, &a).await;
    // It keeps no shop time: what it signs is from the shop's first moment, which in this young shop is not long ago.
    assert!(!probed.unwrap().knows_asker);
    let other = fleet.folder.path().join("another-secret");
    fs::write(&other, "another secret of more than 32 bytes").unwrap();
    let stranger = Trust::Secret(Arc::new(MessageSigner::from_file(&other).unwrap()));
    let refused = probe(stranger, &a).await.unwrap_err();
    assert!(refused.to_string().contains("not signed with this fleet's secret"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_say_who_is_a_pod_and_may_be_renewed() {
    let (first, second) = (Authority::new(), Authority::new());
    let fleet = Fleet::new().await;
    let ((folder, files_a), (_folder_b, files_b)) = (first.files(), first.files());
    let clock = || Arc::new(SystemClock::default());
    let (a, b) = tokio::join!(
        fleet.pod_with("a", Target::All, clock(), under_tls(&files_a)),
        fleet.pod_with("b", Target::All, clock(), under_tls(&files_b)),
    );
    until("both pods have their share", async || a.owns().await > 256 && b.owns().await > 256).await;
    carts_cross(&a, &b).await;

    let (_folder, files) = second.files();
    let stranger = PeerTls::load(files).unwrap();
    probe(Trust::Tls(stranger), &a).await.unwrap_err();
    let (_folder, nobody) = first.files();
    let unnamed =
        Trust::Secret(Arc::new(MessageSigner::from_file(&fleet.folder.path().join("secret")).unwrap()));
    probe(unnamed, &a).await.unwrap_err();
    probe(Trust::Tls(PeerTls::load(nobody).unwrap()), &a).await.unwrap();

    // A new authority: both are trusted while the pods go over to it, one after the other.
    let both = format!("{}{}", first.certificate, second.certificate);
    second.write(folder.path(), &both);
    let (_folder, files) = second.files();
    let newcomer = PeerTls::load(files).unwrap();
    until("the pod has read its new certificates", async || {
        probe(Trust::Tls(newcomer.clone()), &a).await.is_ok()
    })
    .await;
    let shelf = Request::new("PUT", "/v1/products/MUG").bearer(TOKEN).json(&json!({"name": "Mug",
        "category": "Kitchen", "variants": [{"sku": "MUG", "prices": []}]}));
    b.send(shelf).await.is(201);
    carts_cross(&a, &b).await;
}
