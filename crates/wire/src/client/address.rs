//! A backend's address: HTTPS, or plain HTTP to this machine.

use reqwest::Url;

use super::ClientError;

/// Checks `text` as a backend's address and gives it a path that ends in `/`.
pub(super) fn parse(text: &str) -> Result<Url, ClientError> {
    let refuse = |reason: &str| ClientError::Address {
        address: text.chars().take(200).collect(),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(refuse("plain http reaches only this machine; use https")),
        _ => return Err(refuse("it must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a name or password; leave them out"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it holds `?` or `#`; leave out what follows"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Whether the address is of this machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn plain_http_reaches_only_this_machine() {
        for good in [
            "https://countersign.example",
            "https://10.0.0.7:8443/tenant",
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "http://[::1]:8080/",
        ] {
            assert!(
                parse(good).is_ok_and(|url| url.path().ends_with('/')),
                "{good}"
            );
        }
        for bad in [
            "",
            "countersign.example",
            "http://countersign.example",
            "http://10.0.0.7",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://ada:secret@countersign.example",
            "https://countersign.example/?a=b",
            "https://countersign.example/#a",
        ] {
            assert_eq!(
                parse(bad).map_err(|e| e.code().to_owned()),
                Err("backend_address".to_owned()),
                "{bad}"
            );
        }
    }
}
