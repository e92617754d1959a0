//! The parts that laboratories start as processes of their own.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Subcommand;
use tokio::process::{Child, Command};

use super::{client, modbus, tls_host};
use crate::backend::{program, programs};

/// A part and what it is given.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each names the module that plays it")]
pub enum Part {
    /// A host with a TLS service from a package.
    TlsHost {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        certificate: PathBuf,
    },
    /// An application server with pooled connections.
    Client {
        #[arg(long)]
        name: String,
        #[arg(long)]
        port: u16,
        #[arg(long)]
        password: PathBuf,
        #[arg(long)]
        report: PathBuf,
    },
    /// Controllers that answer Modbus-TCP.
    Controllers {
        #[arg(long, value_delimiter = ',')]
        addresses: Vec<SocketAddr>,
    },
    /// A SCADA server that polls controllers.
    Scada {
        #[arg(long, value_delimiter = ',')]
        addresses: Vec<IpAddr>,
        #[arg(long)]
        report: PathBuf,
    },
    /// A backup job that connects again and again.
    Backup {
        #[arg(long)]
        from: IpAddr,
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        report: PathBuf,
    },
}

impl Part {
    /// Plays it until it is killed.
    ///
    /// # Errors
    /// Where it cannot begin.
    pub async fn play(self) -> anyhow::Result<()> {
        match self {
            Self::TlsHost {
                root,
                address,
                certificate,
            } => tls_host::serve(&root, address, &certificate).await,
            Self::Client {
                name,
                port,
                password,
                report,
            } => client::work(&name, port, &password, &report).await,
            Self::Controllers { addresses } => modbus::answer(&addresses).await,
            Self::Scada { addresses, report } => modbus::poll(&addresses, &report).await,
            Self::Backup { from, to, report } => modbus::back_up(from, to, &report).await,
        }
    }
}

/// Starts a part; it ends with the laboratory. `within` are words before it, such as a namespace.
pub(super) fn start(within: &[&str], arguments: &[&str], log: &Path) -> anyhow::Result<Child> {
    let own = program(&programs()?, "countersign-demonstration")?;
    let mut command = match within.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(own);
            command
        }
        None => Command::new(own),
    };
    Ok(command
        .arg("lab-part")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(log)?)
        .kill_on_drop(true)
        .spawn()?)
}
