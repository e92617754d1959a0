//! countersignd, the remediation backend: it takes proposals, has core assess them, takes signed
//! decisions, carries operations out, and writes the log.
//!
//! The modules read along the one path: who asks ([`auth`], [`sign_in`]), what is kept ([`store`]),
//! what is answered ([`routes`]).

pub mod auth;
pub mod backend;
pub mod body;
pub mod ceremony;
pub mod clock;
pub mod config;
pub mod executor;
pub mod folder;
pub mod health;
pub mod limits;
pub mod loosening;
pub mod problem;
pub mod refusals;
pub mod routes;
pub mod secret;
pub mod serve;
pub mod sign_in;
pub mod store;
