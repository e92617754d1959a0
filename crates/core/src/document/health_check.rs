//! Reads a health check. Serde's own reading of tagged variants forgets the places of fields.

use serde::de::{Deserialize, Deserializer, Error};

use crate::decimal::Decimal;
use crate::envelope::HealthCheck;
use crate::span::Span;

/// All fields that any kind of health check has.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: CheckKind,
    path: Option<String>,
    expect: Option<u16>,
    port: Option<u16>,
    command: Option<Vec<String>>,
    query: Option<String>,
    max: Option<Decimal>,
    timeout: Option<Span>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CheckKind {
    Http,
    Tcp,
    Tls,
    Command,
    Prometheus,
}

impl CheckKind {
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Http => &["kind", "path", "expect", "timeout"],
            Self::Tcp | Self::Tls => &["kind", "port", "timeout"],
            Self::Command => &["kind", "command", "timeout"],
            Self::Prometheus => &["kind", "query", "max"],
        }
    }
}

impl<'de> Deserialize<'de> for HealthCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn need<T, E: Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
            value.ok_or_else(|| E::missing_field(name))
        }
        let written = Written::deserialize(deserializer)?;
        let fields = written.kind.fields();
        for (name, is_written) in [
            ("path", written.path.is_some()),
            ("expect", written.expect.is_some()),
            ("port", written.port.is_some()),
            ("command", written.command.is_some()),
            ("query", written.query.is_some()),
            ("max", written.max.is_some()),
            ("timeout", written.timeout.is_some()),
        ] {
            if is_written && !fields.contains(&name) {
                return Err(Error::unknown_field(name, fields));
            }
        }
        Ok(match written.kind {
            CheckKind::Http => Self::Http {
                path: need(written.path, "path")?,
                expect: written.expect.unwrap_or(crate::envelope::status_ok()),
                timeout: need(written.timeout, "timeout")?,
            },
            CheckKind::Tcp => Self::Tcp {
                port: need(written.port, "port")?,
                timeout: need(written.timeout, "timeout")?,
            },
            CheckKind::Tls => Self::Tls {
                port: need(written.port, "port")?,
                timeout: need(written.timeout, "timeout")?,
            },
            CheckKind::Command => Self::Command {
                command: need(written.command, "command")?,
                timeout: need(written.timeout, "timeout")?,
            },
            CheckKind::Prometheus => Self::Prometheus {
                query: need(written.query, "query")?,
                max: need(written.max, "max")?,
            },
        })
    }
}
