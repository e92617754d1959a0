//! Programs: their arguments as they are, their input on standard input, never a shell.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::Failure;

/// Runs `words` with `input` and gives what it printed.
///
/// # Errors
/// [`Failure`] where it does not start or does not end well, with what it said.
pub fn run(words: &[String], input: &[u8]) -> Result<Vec<u8>, Failure> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Failure::new("there is no program to run"));
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Failure::of(&format!("`{name}` does not start")))?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    // From another thread: a program that prints while it reads would wait for us and we for it.
    let writer = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // One that ends without reading says why itself.
            let _ = stdin.write_all(&input);
        }
    });
    let output = child
        .wait_with_output()
        .map_err(Failure::of(&format!("`{name}`")))?;
    let _ = writer.join();
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "`{name}` ended with {}: {}",
        output.status,
        said.trim()
    )))
}
