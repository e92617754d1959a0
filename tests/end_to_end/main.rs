//! Console, backend, keys and systems together. The programs come from `cargo xtask build`;
//! `cargo xtask test --only end-to-end` builds them and brings a desktop for the window.

#[cfg(target_os = "linux")]
mod lab;
mod story;
mod suspension;
mod window;
