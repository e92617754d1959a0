//! The typed HTTP client of the backend, for the console and the command line.
//!
//! [`Client`] has one method a route. It speaks plain HTTP to this machine only, follows no
//! redirect, bounds every body, and holds bearer tokens where no log prints them. A document
//! fetched by its digest is checked against it.
//!
//! It must not contain: a key, a file, a window.

mod address;
mod error;
mod events;
mod http;
mod routes;
mod sse;

pub use error::ClientError;
pub use events::{EventStream, Notice};
pub use http::Client;
pub use routes::{QueueState, QueueStream};

#[cfg(test)]
mod tests;
