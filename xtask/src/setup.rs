//! What must be on the machine: Rust, Node and system packages. Missing packages are installed
//! where we know how (Debian, Ubuntu) and named with exact instructions elsewhere.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::process::{Failure, Outcome, output, run};

const RUST: Version = Version(1, 95);
const NODE: Version = Version(20, 19);

/// What is about to be done, and so what must be there. Each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Compile everything and run it on a desktop.
    Build,
    /// Run the console without a display of one's own.
    Headless,
    /// Run every test.
    Test,
}

/// Whether a person may be asked before packages are installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Ask,
    Given,
}

/// Debian's and Ubuntu's packages, by the first purpose that needs them.
const PACKAGES: &[(Purpose, &str)] = &[
    (Purpose::Build, "pkg-config"),
    (Purpose::Build, "libwebkit2gtk-4.1-dev"),
    (Purpose::Build, "libpcsclite-dev"),
    (Purpose::Build, "libudev-dev"),
    // bindgen, for the file system inside the demonstration keys
    (Purpose::Build, "libclang-dev"),
    // the evidence is checked with the stock ssh-keygen
    (Purpose::Build, "openssh-client"),
    (Purpose::Headless, "webkit2gtk-driver"),
    (Purpose::Headless, "xvfb"),
    (Purpose::Headless, "dbus"),
    (Purpose::Headless, "gnome-keyring"),
    (Purpose::Headless, "fonts-dejavu-core"),
    (Purpose::Test, "pcscd"),
    (Purpose::Test, "vsmartcard-vpcd"),
    // laboratories and executors run against the real parts
    (Purpose::Test, "ansible-core"),
    (Purpose::Test, "nftables"),
    (Purpose::Test, "iproute2"),
    (Purpose::Test, "postgresql"),
    (Purpose::Test, "procps"),
    (Purpose::Test, "prometheus"),
    (Purpose::Test, "python3"),
];

/// Packages of Debian's that Ubuntu has only as a snap: what needs them is skipped there.
const DEBIAN_PACKAGES: &[(Purpose, &str)] = &[
    // the screens are tried in a browser, accessibility among them
    (Purpose::Test, "chromium"),
];

const FEDORA: &str = "\
    sudo dnf install gcc pkgconf-pkg-config webkit2gtk4.1-devel pcsc-lite-devel systemd-devel clang-devel openssh-clients
  and, to run without a display or to test:
    sudo dnf install xorg-x11-server-Xvfb dbus-daemon gnome-keyring dejavu-sans-fonts pcsc-lite \
      ansible-core nftables iproute postgresql-server dpkg golang-github-prometheus chromium
  (the program WebKitWebDriver must be in PATH; vsmartcard's vpcd is built from its source)";

const ARCH: &str = "\
    sudo pacman -S --needed base-devel webkit2gtk-4.1 pcsclite systemd-libs clang openssh
  and, to run without a display or to test:
    sudo pacman -S --needed xorg-server-xvfb dbus gnome-keyring ttf-dejavu \
      ansible-core nftables iproute2 postgresql dpkg prometheus chromium
  (WebKitWebDriver comes with webkit2gtk-4.1; vsmartcard's vpcd is in the AUR)";

const OTHER_LINUX: &str = "\
    a C compiler and pkg-config, WebKitGTK 4.1, PC/SC lite, libudev and libclang with their development
    files, and OpenSSH's client
  and, to run without a display or to test:
    WebKitWebDriver, Xvfb, dbus-run-session, gnome-keyring, the DejaVu fonts, pcscd, vsmartcard's vpcd,
    ansible-core, nftables, iproute2, PostgreSQL, dpkg, Prometheus and Chromium";

const MACOS: &str = "\
    xcode-select --install
  PC/SC and WebKit are part of macOS. Its WebKit has no WebDriver for programs: `cargo xtask demo`
  opens the console; `demo --headless` and the end-to-end tests need Linux.";

const WINDOWS: &str = "\
    winget install Microsoft.VisualStudio.2022.BuildTools --override \"--add Microsoft.VisualStudio.Workload.VCTools\"
    winget install LLVM.LLVM
  WebView2 and smart cards are part of Windows. `cargo xtask demo` opens the console;
  `demo --headless` and the end-to-end tests need Linux.";

/// Makes sure that everything a purpose needs is there, or says what is not.
pub(crate) fn ensure(purpose: Purpose, consent: Consent) -> Outcome {
    tool_at_least("rustc", RUST, "install it with rustup: https://rustup.rs")?;
    tool_at_least(
        "node",
        NODE,
        "install the current LTS release: https://nodejs.org",
    )?;
    output(npm().arg("--version"))
        .map_err(|_| Failure::new("npm is missing; it comes with Node: https://nodejs.org"))?;
    if cfg!(target_os = "linux") {
        linux_packages(purpose, consent)
    } else {
        Ok(())
    }
}

/// What to install by hand on a system whose packages we do not install ourselves, if it is one.
pub(crate) fn instructions() -> Option<&'static str> {
    match env::consts::OS {
        "linux" => match distribution(&fs::read_to_string("/etc/os-release").unwrap_or_default()) {
            Distribution::Debian => None,
            Distribution::Fedora => Some(FEDORA),
            Distribution::Arch => Some(ARCH),
            Distribution::Other => Some(OTHER_LINUX),
        },
        "macos" => Some(MACOS),
        "windows" => Some(WINDOWS),
        _ => Some(OTHER_LINUX),
    }
}

/// npm, under the name it has here.
pub(crate) fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn linux_packages(purpose: Purpose, consent: Consent) -> Outcome {
    if let Some(instructions) = instructions() {
        // Elsewhere than on Debian the libraries answer for themselves.
        return match output(Command::new("pkg-config").args([
            "--exists",
            "webkit2gtk-4.1",
            "libpcsclite",
            "libudev",
        ])) {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::new(format!(
                "system packages are missing; install\n{instructions}"
            ))),
        };
    }
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let more: &[(Purpose, &str)] = if is_debian_itself(&os_release) {
        DEBIAN_PACKAGES
    } else {
        &[]
    };
    let wanted: Vec<&str> = PACKAGES
        .iter()
        .chain(more)
        .filter(|(first, _)| *first <= purpose)
        .map(|(_, package)| *package)
        .collect();
    // dpkg-query fails as soon as one name is unknown to it; what it lists still counts.
    let listing = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat",
            "${binary:Package} ${db:Status-Status}\n",
        ])
        .args(&wanted)
        .stderr(Stdio::null())
        .output()
        .map_err(Failure::of(
            "could not ask dpkg-query for the installed packages",
        ))?;
    let missing = missing(&wanted, &String::from_utf8_lossy(&listing.stdout));
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing, consent)
}

fn missing<'a>(wanted: &[&'a str], listing: &str) -> Vec<&'a str> {
    let installed: BTreeSet<&str> = listing
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .map(|package| {
            package
                .split_once(':')
                .map_or(package, |(name, _architecture)| name)
        })
        .collect();
    wanted
        .iter()
        .copied()
        .filter(|package| !installed.contains(package))
        .collect()
}

fn install(missing: &[&str], consent: Consent) -> Outcome {
    let as_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let by_hand = format!(
        "sudo apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
    println!("These system packages are missing: {}", missing.join(" "));
    if consent == Consent::Ask && !agreed("Install them now with apt-get?")? {
        return Err(Failure::new(format!(
            "nothing was installed; install them yourself:\n    {by_hand}"
        )));
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = if as_root {
            Command::new("apt-get")
        } else {
            Command::new("sudo")
        };
        if as_root {
            command.env("DEBIAN_FRONTEND", "noninteractive");
        } else {
            command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        // Another installation may be under way.
        command.args(["-o", "DPkg::Lock::Timeout=600"]);
        run(command.args(arguments))
    };
    apt_get(&["update", "--quiet", "--quiet"])
        .and_then(|()| {
            let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
            arguments.extend(missing);
            apt_get(&arguments)
        })
        .map_err(|failure| {
            Failure::new(format!("{failure}; install them yourself:\n    {by_hand}"))
        })
}

/// Asks only where somebody can answer: CI and pipes go ahead.
fn agreed(question: &str) -> Outcome<bool> {
    if env::var_os("CI").is_some_and(|value| value == "true") || !io::stdin().is_terminal() {
        return Ok(true);
    }
    print!("{question} [Y/n] ");
    let mut answer = String::new();
    io::stdout()
        .flush()
        .and_then(|()| io::stdin().read_line(&mut answer))
        .map_err(Failure::of("could not read your answer"))?;
    Ok(matches!(
        answer.trim().to_lowercase().as_str(),
        "" | "y" | "yes"
    ))
}

#[derive(Debug, PartialEq, Eq)]
enum Distribution {
    Debian,
    Fedora,
    Arch,
    Other,
}

/// Reads `/etc/os-release`: `ID` first, then what the distribution says it is like.
fn distribution(os_release: &str) -> Distribution {
    let value = |key: &str| {
        let line = os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let names = format!("{} {}", value("ID"), value("ID_LIKE"));
    for name in names.split_whitespace() {
        match name {
            "debian" | "ubuntu" => return Distribution::Debian,
            "fedora" | "rhel" => return Distribution::Fedora,
            "arch" => return Distribution::Arch,
            _ => {}
        }
    }
    Distribution::Other
}

/// Whether this is Debian, and not one that is like it.
fn is_debian_itself(os_release: &str) -> bool {
    os_release
        .lines()
        .any(|line| matches!(line, "ID=debian" | "ID=\"debian\""))
}

/// Major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    /// The first thing in a line that looks like one: `rustc 1.95.0 (…)`, `v20.20.2`.
    fn find(line: &str) -> Option<Self> {
        line.split_whitespace().find_map(|word| {
            let mut numbers = word.trim_start_matches('v').split('.').map(str::parse);
            match (numbers.next(), numbers.next()) {
                (Some(Ok(major)), Some(Ok(minor))) => Some(Self(major, minor)),
                _ => None,
            }
        })
    }
}

fn tool_at_least(program: &str, wanted: Version, remedy: &str) -> Outcome {
    let Version(major, minor) = wanted;
    let line = output(Command::new(program).arg("--version")).map_err(|_| {
        Failure::new(format!(
            "`{program}` {major}.{minor} or newer is missing; {remedy}"
        ))
    })?;
    match Version::find(&line) {
        Some(found) if found >= wanted => Ok(()),
        _ => Err(Failure::new(format!(
            "`{program}` {major}.{minor} or newer is needed, here is `{}`; {remedy}",
            line.trim()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_tools_print() {
        for (line, expected) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)", Some(Version(1, 95))),
            ("v20.20.2", Some(Version(20, 20))),
            ("11.19.1", Some(Version(11, 19))),
            ("no version here", None),
        ] {
            assert_eq!(Version::find(line), expected, "{line}");
        }
        assert!(Version(20, 9) < NODE);
        assert!(Version(22, 0) > NODE);
    }

    #[test]
    fn only_fully_installed_packages_count() {
        let listing = "xvfb installed\nlibudev-dev:amd64 installed\npcscd config-files\n";
        assert_eq!(
            missing(&["xvfb", "libudev-dev", "pcscd", "dbus"], listing),
            ["pcscd", "dbus"]
        );
    }

    #[test]
    fn distributions_are_told_by_id_and_likeness() {
        for (os_release, expected) in [
            (
                "NAME=\"Debian GNU/Linux\"\nID=debian\n",
                Distribution::Debian,
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Distribution::Debian,
            ),
            ("ID=fedora\n", Distribution::Fedora),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Distribution::Fedora,
            ),
            ("ID=manjaro\nID_LIKE=arch\n", Distribution::Arch),
            ("ID=nixos\n", Distribution::Other),
        ] {
            assert_eq!(distribution(os_release), expected, "{os_release}");
        }
        assert!(is_debian_itself("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(!is_debian_itself("ID=ubuntu\nID_LIKE=debian\n"));
    }
}
