//! Console, backend, keys and systems together. The programs come from `cargo xtask build`;
//! `cargo xtask test --only end-to-end` builds them and brings a desktop for the window.

mod story;
mod window;
