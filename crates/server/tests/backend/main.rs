//! The backend as people, agents and auditors meet it.

mod path;
mod refusals;
mod person;
mod world;
