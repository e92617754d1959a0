//! The people of Northwind, and their demonstration keys.

/// A person with a key.
pub struct Person {
    /// Approver id, and the name of the demonstration key.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// Roles held.
    pub roles: &'static [&'static str],
}

/// The PIN of every demonstration key.
pub const PIN: &str = "246810";

/// Everybody.
pub const PEOPLE: [Person; 8] = [
    Person {
        id: "ines",
        name: "Inês Duarte",
        roles: &["administrator"],
    },
    Person {
        id: "tomas",
        name: "Tomáš Novák",
        roles: &["administrator"],
    },
    Person {
        id: "beatrix",
        name: "Beatrix Holm",
        roles: &["governance-board"],
    },
    Person {
        id: "karim",
        name: "Karim Haddad",
        roles: &["governance-board"],
    },
    Person {
        id: "lena",
        name: "Lena Fischer",
        roles: &["governance-board"],
    },
    Person {
        id: "mira",
        name: "Mira Lindqvist",
        roles: &["on-call-engineer"],
    },
    Person {
        id: "otto",
        name: "Otto Brandt",
        roles: &["ot-safety-officer"],
    },
    Person {
        id: "sana",
        name: "Sana Okafor",
        roles: &["soc-lead"],
    },
];

/// The three members of the board.
pub const BOARD: [&str; 3] = ["beatrix", "karim", "lena"];
/// The engineer on call.
pub const ON_CALL: &str = "mira";
/// The OT safety officer.
pub const OT_OFFICER: &str = "otto";
/// The SOC lead.
pub const SOC_LEAD: &str = "sana";
