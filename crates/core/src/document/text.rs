//! Checks that every kind of document shares: lengths of texts, labels, address ranges.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::decimal::Decimal;
use crate::document::limits::{LABEL_CHARS_MAX, LABELS_MAX};
use crate::document::tree::{Found, Node, Place};

/// The place after `bytes`, which are UTF-8.
pub(crate) fn end_of(bytes: &[u8]) -> Place {
    let lines = bytes.iter().filter(|b| **b == b'\n').count();
    let last = bytes.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let chars = last.iter().filter(|b| (**b & 0xc0) != 0x80).count();
    Place {
        line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
        column: u32::try_from(chars + 1).unwrap_or(u32::MAX),
    }
}

/// Checks the value of `schema`.
pub(crate) fn check_schema(schema: &str, expected: &str, root: &Node<'_>, found: &mut Found) {
    if schema != expected {
        found.error(
            root.place_of(&["schema"]),
            "wrong-schema",
            format!(
                "`{}` is not the schema of this kind of document",
                crate::document::tree::shortened(schema)
            ),
            format!("write `{expected}`, or check that this is the right file"),
        );
    }
}

/// Checks that the text `name` (what messages call it) is not empty and at most `chars_max` long.
pub(crate) fn check_text(
    text: &str,
    name: &str,
    chars_max: usize,
    place: Place,
    found: &mut Found,
) {
    if text.trim().is_empty() {
        found.error(
            place,
            "empty-text",
            format!("`{name}` is empty"),
            format!("write at least one word as `{name}`"),
        );
    }
    // A text has at most as many characters as bytes, so that short ones are not counted.
    if text.len() > chars_max {
        let chars = text.chars().count();
        if chars > chars_max {
            found.error(
                place,
                "text-too-long",
                format!("`{name}` has {chars} characters; the limit is {chars_max}"),
                "shorten it",
            );
        }
    }
}

/// Checks that the decimal `name` is a share of a whole.
pub(crate) fn check_share(share: Decimal, name: &str, place: Place, found: &mut Found) {
    if share > Decimal::ONE {
        found.error(
            place,
            "invalid-value",
            format!("`{name}` is {share}; a share is at most 1"),
            "write a share from \"0\" to \"1\"",
        );
    }
}

/// Checks that a list has at most `max` members.
pub(crate) fn check_length(length: usize, name: &str, max: usize, place: Place, found: &mut Found) {
    if length > max {
        found.error(
            place,
            "too-many",
            format!("`{name}` has {length} members; the limit is {max}"),
            "shorten it",
        );
    }
}

/// Checks the labels at `node`.
pub(crate) fn check_labels(
    labels: &BTreeMap<String, String>,
    node: Option<&Node<'_>>,
    found: &mut Found,
) {
    let place = |name: &str| {
        node.and_then(|n| n.field(name))
            .map_or(Place::START, |f| f.name.place)
    };
    check_length(
        labels.len(),
        "labels",
        LABELS_MAX,
        node.map_or(Place::START, |n| n.place),
        found,
    );
    for (name, value) in labels {
        if name.is_empty() || name.len() > LABEL_CHARS_MAX && name.chars().count() > LABEL_CHARS_MAX
        {
            check_text(name, "name of a label", LABEL_CHARS_MAX, place(name), found);
        }
        if value.len() > LABEL_CHARS_MAX && value.chars().count() > LABEL_CHARS_MAX {
            check_text(value, name, LABEL_CHARS_MAX, place(name), found);
        }
    }
}

/// The one form of an address: IPv4 within IPv6 (`::ffff:10.4.3.9`) is the IPv4 address, or a
/// system could stand outside the segment that it is in.
pub(crate) fn canonical_address(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The one form of an address range: no bits beyond the prefix, IPv4 within IPv6 as IPv4.
pub(crate) fn canonical_range(range: IpNet, place: Place, found: &mut Found) -> IpNet {
    let range = match range {
        IpNet::V4(_) => range,
        IpNet::V6(six) => six
            .addr()
            .to_ipv4_mapped()
            .zip(six.prefix_len().checked_sub(96))
            .and_then(|(four, prefix)| Ipv4Net::new(four, prefix).ok())
            .map_or(range, IpNet::V4),
    };
    if range != range.trunc() {
        found.error(
            place,
            "host-bits",
            format!("`{range}` has bits set beyond its prefix"),
            format!("write `{}`", range.trunc()),
        );
    }
    range
}
