//! A host: a root folder with packages of its own, and a service on TLS that starts from them.
//!
//! Its certificate library (`etc/certificate-library`) was built against certain versions of the
//! package; with another one the service does not start, as in AG-706's Scenario A.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use super::put;

/// The package's file, which says its version.
pub(super) const VERSION: &str = "usr/lib/northwind-tls/version";
/// The versions that the host's certificate library works with, a line each.
pub(super) const LIBRARY: &str = "etc/certificate-library";

/// Serves until it is killed; starts anew when it is told to (SIGHUP).
pub(super) async fn serve(
    root: &Path,
    address: SocketAddr,
    certificate: &Path,
) -> anyhow::Result<()> {
    // An error only where one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut told = signal(SignalKind::hangup())?;
    let run = root.join("run");
    std::fs::create_dir_all(&run)?;
    put(&run.join("pid"), &std::process::id().to_string())?;
    loop {
        let version = std::fs::read_to_string(root.join(VERSION))?;
        let version = version.trim();
        match start(root, version, address, certificate).await {
            Ok((listener, acceptor)) => {
                put(&run.join("state"), &format!("serving {version}\n"))?;
                loop {
                    tokio::select! {
                        _ = told.recv() => break,
                        Ok((stream, _)) = listener.accept() => {
                            let acceptor = acceptor.clone();
                            // A handshake that fails is the other side's affair.
                            tokio::spawn(async move { acceptor.accept(stream).await.ok() });
                        }
                    }
                }
            }
            Err(error) => {
                put(&run.join("state"), &format!("failed {version}: {error}\n"))?;
                told.recv().await;
            }
        }
    }
}

async fn start(
    root: &Path,
    version: &str,
    address: SocketAddr,
    certificate: &Path,
) -> anyhow::Result<(TcpListener, TlsAcceptor)> {
    let library = std::fs::read_to_string(root.join(LIBRARY))?;
    anyhow::ensure!(
        library.lines().any(|works_with| works_with == version),
        "certificate validation library: undefined symbol in {version}"
    );
    let pem = std::fs::read(certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| anyhow::anyhow!("no certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| anyhow::anyhow!("no key"))?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{address}"))?;
    Ok((listener, TlsAcceptor::from(Arc::new(config))))
}
