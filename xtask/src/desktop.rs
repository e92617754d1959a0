//! A desktop nobody looks at: its own X server, session bus and unlocked keyring, in folders of its
//! own, and nothing of it left running however this program ends.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::process::{Failure, Outcome};
use crate::tools::TAURI_DRIVER;
use crate::workspace::Workspace;

/// Everything started on the desktop inherits this variable; its value is the desktop's folder.
const MARK: &str = "COUNTERSIGN_DESKTOP";

/// Waits until its standard input closes, which happens when we let go of it or die in any way, and
/// then ends every process that carries our mark. Process groups and sessions would not do: drivers
/// and daemons leave theirs.
const JANITOR: &str = r#"
read -r _
turn=0
while [ "$turn" -lt 60 ]; do
  found=$(grep -lszxF -- "$1=$2" /proc/[0-9]*/environ | cut -d/ -f3)
  [ -n "$found" ] || break
  if [ "$turn" -lt 30 ]; then kill -TERM $found; else kill -KILL $found; fi
  turn=$((turn + 1))
  sleep 0.1
done
rm -rf -- "$2"
"#;

/// Runs its arguments with a session bus and a keyring, made and unlocked with an empty password.
const ENTRANCE: &str = r#"exec dbus-run-session -- sh -c '
printf "\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
exec "$@"' sh "$@"
"#;

/// A running desktop. It ends when this value is dropped.
pub(crate) struct Desktop {
    folder: PathBuf,
    display: String,
    driver: PathBuf,
    janitor: Child,
    screen: Child,
}

impl Desktop {
    /// Starts the screen; bus and keyring start with each command.
    pub(crate) fn start() -> Outcome<Self> {
        let driver = TAURI_DRIVER.path()?;
        let folder = env::temp_dir().join(format!("countersign-desktop-{}", std::process::id()));
        private_folder(&folder)?;
        let mut janitor = janitor(&folder)?;
        match furnish(&folder).and_then(|()| screen(&folder)) {
            Ok((screen, display)) => Ok(Self {
                folder,
                display,
                driver,
                janitor,
                screen,
            }),
            Err(failure) => {
                dismiss(&mut janitor);
                Err(failure)
            }
        }
    }

    /// A program to be run on this desktop, at the root of the repository.
    pub(crate) fn command(&self, workspace: &Workspace, program: impl AsRef<OsStr>) -> Command {
        let mut command = workspace.command("sh");
        command.arg(self.folder.join("enter")).arg(program);
        // Cargo and rustup live in the true home.
        if let Some(home) = env::home_dir() {
            for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                if env::var_os(name).is_none() {
                    command.env(name, home.join(folder));
                }
            }
        }
        command
            .env(MARK, &self.folder)
            .env("HOME", self.folder.join("home"))
            .env("XDG_RUNTIME_DIR", self.folder.join("run"))
            .env("XDG_DATA_HOME", self.folder.join("data"))
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("DISPLAY", &self.display)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XAUTHORITY")
            .env("GDK_BACKEND", "x11")
            .env("GSETTINGS_BACKEND", "memory")
            .env("NO_AT_BRIDGE", "1")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
            .env("COUNTERSIGN_TAURI_DRIVER", &self.driver)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        dismiss(&mut self.janitor);
        // The janitor has ended it; this only collects its exit status.
        let _ = self.screen.wait();
    }
}

fn janitor(folder: &Path) -> Outcome<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", JANITOR, "janitor", MARK]).arg(folder);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Ctrl-C goes to the whole foreground group; the janitor must outlive it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(Failure::of("could not start `sh`"))
}

fn dismiss(janitor: &mut Child) {
    drop(janitor.stdin.take());
    // Nothing can be done about a janitor that cannot be waited for.
    let _ = janitor.wait();
}

/// Puts into the desktop's folder what its programs find there.
fn furnish(folder: &Path) -> Outcome {
    for part in ["home", "run", "data", "config", "cache"] {
        private_folder(&folder.join(part))?;
    }
    let entrance = folder.join("enter");
    fs::write(&entrance, ENTRANCE).map_err(Failure::of(format!(
        "could not write `{}`",
        entrance.display()
    )))
}

/// Starts an X server on the first free display.
fn screen(folder: &Path) -> Outcome<(Child, String)> {
    let log = folder.join("xvfb.log");
    let complaints =
        File::create(&log).map_err(Failure::of(format!("could not create `{}`", log.display())))?;
    let mut screen = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1440x900x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ])
        .env(MARK, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(complaints)
        .spawn()
        .map_err(Failure::of("could not start `Xvfb`"))?;
    let mut number = String::new();
    if let Some(answer) = screen.stdout.take() {
        BufReader::new(answer)
            .read_line(&mut number)
            .map_err(Failure::of("could not read from `Xvfb`"))?;
    }
    let number = number.trim();
    if number.is_empty() {
        let complaints = fs::read_to_string(&log).unwrap_or_default();
        return Err(Failure::new(format!(
            "`Xvfb` found no free display: {}",
            complaints.trim()
        )));
    }
    Ok((screen, format!(":{number}")))
}

fn private_folder(path: &Path) -> Outcome {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(Failure::of(format!(
        "could not create `{}`",
        path.display()
    )))
}
