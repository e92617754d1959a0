//! The sample organisation Northwind, its systems, its agent and its people, and the story that is
//! both the demonstration and the end-to-end test.

pub mod agent;
pub mod attend;
pub mod backend;
pub mod demonstration;
pub mod executor;
pub mod hands;
pub mod lab;
pub mod organisation;
pub mod people;
pub mod session;
pub mod setup;
pub mod story;
pub mod systems;
pub mod window;
