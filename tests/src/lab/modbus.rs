//! Modbus-TCP (Modbus Messaging on TCP/IP V1.0b), as much as a plant needs to be seen alive: reading
//! holding registers (function 3). And the backup job that somebody takes for an intruder.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::put;

/// The registered port.
pub(super) const PORT: u16 = 502;
/// How often each controller is asked.
const EVERY: Duration = Duration::from_millis(200);
/// How long an answer may take before control counts as lost.
const WITHIN: Duration = Duration::from_millis(800);
/// Transaction, protocol, length, unit.
const HEADER_BYTES: usize = 7;
/// Read holding registers.
const READ: u8 = 3;

/// What the SCADA server knows of its controllers.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Polled {
    /// Rounds so far.
    pub(super) rounds: u64,
    /// Controllers that answered in the last round.
    pub(super) answering: Vec<IpAddr>,
    /// Polls without an answer, by controller, since the beginning.
    pub(super) missed: BTreeMap<IpAddr, u64>,
}

/// What the backup job achieved.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct BackedUp {
    /// Connections tried.
    pub(super) tried: u64,
    /// Whether the last one was made.
    pub(super) connected: bool,
}

/// Plays a controller at each address.
pub(super) async fn answer(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let mut tasks = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("no controller at {address}"))?;
        tasks.push(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that ends is the other side's affair.
                tokio::spawn(async move { control(stream).await.ok() });
            }
        }));
    }
    for task in tasks {
        task.await?;
    }
    Ok(())
}

async fn control(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut register: u16 = 1_000;
    loop {
        let mut header = [0; HEADER_BYTES];
        stream.read_exact(&mut header).await?;
        let [t1, t2, _, _, l1, l2, unit] = header;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        ensure!((2..=254).contains(&length), "a request of no length");
        let mut request = vec![0; length - 1];
        stream.read_exact(&mut request).await?;
        ensure!(
            request.first() == Some(&READ),
            "no function of this controller"
        );
        register = register.wrapping_add(1);
        let [high, low] = register.to_be_bytes();
        stream
            .write_all(&[t1, t2, 0, 0, 0, 5, unit, READ, 2, high, low])
            .await?;
    }
}

/// Polls the controllers and reports after every round.
pub(super) async fn poll(addresses: &[IpAddr], report: &Path) -> anyhow::Result<()> {
    let mut polled = Polled::default();
    let mut streams: BTreeMap<IpAddr, TcpStream> = BTreeMap::new();
    loop {
        let asked = addresses.iter().map(|address| {
            let stream = streams.remove(address);
            async move {
                let asked = tokio::time::timeout(WITHIN, ask(*address, stream)).await;
                (*address, asked.ok().and_then(Result::ok))
            }
        });
        polled.answering.clear();
        for (address, answered) in futures::future::join_all(asked).await {
            match answered {
                Some(stream) => {
                    streams.insert(address, stream);
                    polled.answering.push(address);
                }
                None => *polled.missed.entry(address).or_default() += 1,
            }
        }
        polled.rounds += 1;
        put(report, &serde_json::to_string(&polled)?)?;
        tokio::time::sleep(EVERY).await;
    }
}

async fn ask(address: IpAddr, stream: Option<TcpStream>) -> anyhow::Result<TcpStream> {
    let mut stream = match stream {
        Some(stream) => stream,
        None => TcpStream::connect((address, PORT)).await?,
    };
    stream
        .write_all(&[0, 1, 0, 0, 0, 6, 1, READ, 0, 0, 0, 1])
        .await?;
    let mut answer = [0; HEADER_BYTES + 4];
    stream.read_exact(&mut answer).await?;
    ensure!(answer.get(7) == Some(&READ), "the controller refuses");
    Ok(stream)
}

/// Connects again and again, as the misconfigured backup does.
pub(super) async fn back_up(from: IpAddr, to: SocketAddr, report: &Path) -> anyhow::Result<()> {
    let mut done = BackedUp::default();
    loop {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        done.tried += 1;
        done.connected = tokio::time::timeout(WITHIN, socket.connect(to))
            .await
            .is_ok_and(|connected| connected.is_ok());
        put(report, &serde_json::to_string(&done)?)?;
        tokio::time::sleep(EVERY).await;
    }
}
