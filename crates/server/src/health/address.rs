//! Where a system is reached: templates of the configuration, filled with its name or address.

use std::net::IpAddr;

use super::Subject;

/// Fills `{system}` and `{address}` (the first address) of an address to be parsed as a URL; `None`
/// where the system has no address, or its name cannot stand there.
pub(super) fn url(base: &str, subject: Subject<'_>, path: &str) -> Option<url::Url> {
    let filled = fill(
        base,
        subject,
        &percent_encoded(subject)?,
        |address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        },
    )?;
    let separator = if path.starts_with('/') { "" } else { "/" };
    url::Url::parse(&format!(
        "{}{separator}{path}",
        filled.trim_end_matches('/')
    ))
    .ok()
}

/// Fills the name of a host; `None` where it would not be one.
pub(super) fn host(template: &str, subject: Subject<'_>) -> Option<String> {
    let name = subject.system.as_str();
    let filled = fill(template, subject, name, |address| address.to_string())?;
    let is_host = !filled.is_empty()
        && filled
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_'));
    is_host.then_some(filled)
}

fn fill(
    template: &str,
    subject: Subject<'_>,
    name: &str,
    written: impl Fn(&IpAddr) -> String,
) -> Option<String> {
    let mut filled = template.replace("{system}", name);
    if filled.contains("{address}") {
        filled = filled.replace("{address}", &written(subject.addresses.first()?));
    }
    Some(filled)
}

/// A system's name as one segment of a path, and nothing else.
fn percent_encoded(subject: Subject<'_>) -> Option<String> {
    let name = subject.system.as_str();
    if name.chars().all(|c| c == '.') {
        return None;
    }
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(
        found: impl Fn(Subject<'_>) -> Option<String>,
        system: &str,
        addresses: &[&str],
        expected: Option<&str>,
    ) {
        let addresses: BTreeSet<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let found = found(Subject {
            system: &system.parse().unwrap(),
            addresses: &addresses,
        });
        assert_eq!(found.as_deref(), expected, "{system}");
    }

    #[test]
    fn a_system_is_one_segment_of_the_address() {
        let below = |subject: Subject<'_>| {
            url("http://127.0.0.1:9/systems/{system}", subject, "/healthz").map(String::from)
        };
        let expected = "http://127.0.0.1:9/systems/web-1/healthz";
        check(below, "web-1", &[], Some(expected));
        let expected = "http://127.0.0.1:9/systems/a%2F..%2Fb%3Fc%23d/healthz";
        check(below, "a/../b?c#d", &[], Some(expected));
        check(below, "..", &[], None);
        let expected = "http://127.0.0.1:9/systems/%C3%BC%40h/healthz";
        check(below, "ü@h", &[], Some(expected));
    }

    #[test]
    fn an_address_stands_for_its_system() {
        let at =
            |subject: Subject<'_>| url("https://{address}:8443", subject, "up").map(String::from);
        check(at, "web-1", &["10.0.0.1"], Some("https://10.0.0.1:8443/up"));
        check(at, "web-1", &["fd00::1"], Some("https://[fd00::1]:8443/up"));
        check(at, "web-1", &[], None);
    }

    #[test]
    fn hosts() {
        let named = |subject: Subject<'_>| host("{system}.example", subject);
        check(named, "web-1", &[], Some("web-1.example"));
        check(named, "web/1", &[], None);
        check(named, "evil@host", &[], None);
        let at = |subject: Subject<'_>| host("{address}", subject);
        check(at, "web-1", &["10.0.0.1", "10.0.0.2"], Some("10.0.0.1"));
        check(at, "web-1", &["fd00::1"], Some("fd00::1"));
        check(at, "web-1", &[], None);
    }
}
