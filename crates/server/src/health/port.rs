//! `tcp`: a connection. `tls`: a handshake with a certificate that is valid for the host.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::operation::CheckResult;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Prober, ProberError, Subject, address, late, no_data, took};

impl Prober {
    pub(super) async fn tcp(
        &self,
        port: u16,
        timeout: Duration,
        subject: Subject<'_>,
    ) -> CheckResult {
        let began = Instant::now();
        match tokio::time::timeout(timeout, self.connect(port, subject)).await {
            Err(_) => late(timeout),
            Ok(Err(result)) => result,
            Ok(Ok(_)) => CheckResult::Pass {
                measured: took("connected", began),
            },
        }
    }

    pub(super) async fn tls(
        &self,
        port: u16,
        timeout: Duration,
        subject: Subject<'_>,
    ) -> CheckResult {
        let began = Instant::now();
        match tokio::time::timeout(timeout, self.shake_hands(port, subject)).await {
            Err(_) => late(timeout),
            Ok(Err(result)) => result,
            Ok(Ok(())) => CheckResult::Pass {
                measured: took("handshake", began),
            },
        }
    }

    fn host(&self, subject: Subject<'_>) -> Result<String, CheckResult> {
        let template = self.config.host.as_deref().unwrap_or("{address}");
        address::host(template, subject)
            .ok_or_else(|| no_data("the system's name or address makes no host"))
    }

    async fn connect(&self, port: u16, subject: Subject<'_>) -> Result<TcpStream, CheckResult> {
        let host = self.host(subject)?;
        TcpStream::connect((host.as_str(), port))
            .await
            .map_err(|error| {
                // It is there, and does not listen: an answer.
                if error.kind() == ErrorKind::ConnectionRefused {
                    CheckResult::Fail {
                        measured: format!("port {port} is closed"),
                    }
                } else {
                    no_data("no connection")
                }
            })
    }

    async fn shake_hands(&self, port: u16, subject: Subject<'_>) -> Result<(), CheckResult> {
        let host = self.host(subject)?;
        let name = ServerName::try_from(host).map_err(|_| no_data("the host has no TLS name"))?;
        let stream = self.connect(port, subject).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        match connector.connect(name, stream).await {
            Ok(_) => Ok(()),
            // rustls reports what it does not accept as invalid data; everything else is the network.
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(CheckResult::Fail {
                measured: format!("no handshake: {error}"),
            }),
            Err(_) => Err(no_data("the handshake broke off")),
        }
    }
}

/// What `tls` checks trust: the certificates of a PEM file, or the machine's.
pub(super) fn trust(authorities: Option<&Path>) -> Result<rustls::ClientConfig, ProberError> {
    let mut roots = rustls::RootCertStore::empty();
    match authorities {
        None => {
            // An unreadable store leaves fewer roots: handshakes then fail, none passes wrongly.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let unreadable = |reason: String| ProberError::Authorities {
                path: path.display().to_string(),
                reason,
            };
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unreadable(error.to_string()))?;
            if certificates.is_empty() {
                return Err(unreadable("it holds no certificate".to_owned()));
            }
            for certificate in certificates {
                roots
                    .add(certificate)
                    .map_err(|error| unreadable(error.to_string()))?;
            }
        }
    }
    Ok(rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::config::HealthConfig;

    const SOON: Duration = Duration::from_secs(5);

    /// A server that shakes hands with a certificate for `name`, and the prober that trusts it.
    async fn tls_server(name: &str, folder: &Path) -> (u16, Prober) {
        let own = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let authorities = folder.join("authorities.pem");
        std::fs::write(&authorities, own.cert.pem()).unwrap();
        let prober = Prober::new(Some(&HealthConfig {
            authorities: Some(authorities),
            ..HealthConfig::default()
        }))
        .unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that refuses the certificate ends the handshake.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ended = stream.read(&mut [0]).await;
                }
            }
        });
        (port, prober)
    }

    fn check(found: &CheckResult, expected: &str) {
        let found = match found {
            CheckResult::Pass { measured } => format!("pass {measured}"),
            CheckResult::Fail { measured } => format!("fail {measured}"),
            CheckResult::NoData { reason } => format!("no data {reason}"),
        };
        assert!(found.starts_with(expected), "{found}: {expected}");
    }

    #[tokio::test]
    async fn ports_and_handshakes() {
        let folder = tempfile::tempdir().unwrap();
        let system = "web-1".parse().unwrap();
        let local = BTreeSet::from([IpAddr::from([127, 0, 0, 1])]);
        let subject = Subject {
            system: &system,
            addresses: &local,
        };
        let (port, prober) = tls_server("127.0.0.1", folder.path()).await;
        check(&prober.tcp(port, SOON, subject).await, "pass connected");
        check(&prober.tls(port, SOON, subject).await, "pass handshake");

        let (other, prober) = tls_server("elsewhere.example", folder.path()).await;
        check(&prober.tls(other, SOON, subject).await, "fail no handshake");
        let untrusting = Prober::new(None).unwrap();
        check(
            &untrusting.tls(port, SOON, subject).await,
            "fail no handshake",
        );

        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = plain.local_addr().unwrap().port();
        let moment = Duration::from_secs(1);
        check(
            &prober.tls(silent, moment, subject).await,
            "no data no answer within 1 s",
        );
        drop(plain);
        let closed = format!("fail port {silent} is closed");
        check(&prober.tcp(silent, SOON, subject).await, &closed);
        check(&prober.tls(silent, SOON, subject).await, &closed);

        let nowhere = Subject {
            system: &system,
            addresses: &BTreeSet::new(),
        };
        check(&prober.tcp(port, SOON, nowhere).await, "no data the system");
    }

    #[test]
    fn what_is_trusted_must_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        for path in [folder.path().join("missing.pem"), empty] {
            assert!(trust(Some(&path)).is_err(), "{path:?}");
        }
    }
}
