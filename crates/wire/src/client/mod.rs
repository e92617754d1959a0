//! The typed HTTP client of the backend, for the console and the command line.
//!
//! [`Client`] has one method a route. It speaks plain HTTP to this machine only, follows no
//! redirect, bounds every body, and holds bearer tokens where no log prints them. A document
//! fetched by its digest is checked against it. [`trust`], [`review`], [`operation`],
//! [`suspension`] and [`decide`] are the steps from a pinned genesis to a submitted decision, the same for console and command line.
//!
//! It must not contain: a key, a file, a window.

mod address;
pub mod decide;
mod error;
mod events;
mod http;
pub mod operation;
mod problems;
pub mod review;
mod routes;
mod sse;
pub mod suspension;
pub mod trust;

pub use error::ClientError;
pub use events::{EventStream, Notice};
pub use http::Client;
pub use routes::{QueueState, QueueStream};

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod tests;
