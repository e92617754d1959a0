//! countersignd, the remediation backend: it takes proposals, has core assess them, takes signed
//! decisions, carries operations out, and writes the log.
//!
//! The modules read along the one path: who asks ([`auth`], [`sign_in`]) → what is proposed
//! ([`facts`], [`authorised`], [`suspended`], [`propose`]) → what is decided ([`decide`]) → what is carried out
//! ([`operate`], [`gate`], [`runner`], [`permit`], [`executor`], [`health`], [`alerts`]), and what is rehearsed
//! ([`rehearsal`], [`schedule`]). Everything is kept in the [`store`] and answered by the [`routes`].

pub mod alerts;
pub mod auth;
pub mod authorised;
pub mod backend;
pub mod body;
pub mod ceremony;
mod child;
pub mod clock;
pub mod config;
pub mod decide;
pub mod executor;
pub mod facts;
pub mod folder;
pub mod gate;
pub mod health;
pub mod limits;
pub mod loosening;
pub mod operate;
pub mod permit;
pub mod problem;
pub mod propose;
pub mod refusals;
pub mod rehearsal;
pub mod routes;
pub mod runner;
pub mod schedule;
pub mod secret;
pub mod serve;
pub mod sign_in;
pub mod store;
pub mod suspended;
pub mod sweeper;
