//! The governance core of Countersign: what decides, what is signed and what is logged.
//!
//! Everything here is a function of its arguments. No I/O, no clock, no randomness, no async:
//! `now` and random bytes are arguments, so that every decision can be replayed by anyone.
//!
//! The modules read in the order of the one path: documents ([`envelope`], [`topology`],
//! [`proposal`], [`history`]) → [`scope`] and [`impact`] → [`assessment`] → [`briefing`] →
//! [`statement`], [`quorum`] and [`suspension`] → [`operation`] → [`permit`] → [`log`] and [`evidence`].

pub mod assessment;
pub mod backtest;
pub mod briefing;
pub mod canonical;
pub mod conformance;
pub mod decimal;
pub mod decision;
pub mod diagnostic;
pub mod document;
pub mod drill;
pub mod envelope;
pub mod evidence;
pub mod genesis;
pub mod history;
pub mod identifier;
pub mod impact;
pub mod log;
pub mod operation;
pub mod permit;
pub mod proposal;
pub mod quorum;
pub mod quote;
pub mod scope;
pub mod span;
pub mod sshsig;
pub mod statement;
pub mod suspension;
pub mod topology;
pub mod webauthn;
