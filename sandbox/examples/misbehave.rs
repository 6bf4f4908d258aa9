//! A child that limits itself and then does what it is told to: for the tests.
//!
//!     misbehave DEED FOLDER
//!
//! It exits with 0 if it got away with it and with 10 if it was refused.

use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use sandbox::{Limits, confine};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [deed, folder] = arguments.as_slice() else {
        return ExitCode::from(2);
    };
    let folder = Path::new(folder);
    let limits = Limits {
        memory_bytes: 512 << 20,
        // Time enough for its folder to be counted.
        cpu_seconds: if deed.ends_with("-many") { 20 } else { 1 },
        wall: Duration::from_secs(1),
        file_bytes: 1 << 20,
        folder_bytes: 0,
        open_files: 16,
    };
    match confine(&limits, &[&folder.join("readable")], &folder.join("own")) {
        Ok(missing) => missing.iter().for_each(|what| eprintln!("missing: {what}")),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    }
    if done(deed, folder) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(10)
    }
}

/// Whether it got away with it.
fn done(deed: &str, folder: &Path) -> bool {
    let own = folder.join("own");
    match deed {
        "behave" => behaves(folder),
        "allocate" => {
            let held: Vec<Vec<u8>> = (0..1024).map(|_| vec![1; 1 << 20]).collect();
            held.len() == 1024
        }
        "fork" => Command::new("/bin/true").status().is_ok(),
        "command" => commands_a_descriptor(&own),
        "socket" => UdpSocket::bind("127.0.0.1:0").is_ok(),
        "listen" => TcpListener::bind("127.0.0.1:0").is_ok(),
        "connect" => TcpStream::connect("127.0.0.1:1")
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused),
        "write-outside" => fs::write(folder.join("outside"), "x").is_ok(),
        "write-readable" => fs::write(folder.join("readable/file"), "x").is_ok(),
        "read-outside" => fs::read("/etc/passwd").is_ok(),
        "link" => hard_link(&own),
        "write-much" => {
            let mut file = File::create(own.join("much")).expect("its own folder");
            (0..64).all(|_| file.write_all(&[0; 1 << 16]).is_ok())
        }
        "write-many" => {
            let kilobyte = [0; 1024];
            (0..).all(|nth| fs::write(own.join(format!("{nth}")), kilobyte).is_ok())
        }
        "make-many" => {
            let made = (0..4_096).all(|nth| fs::create_dir(own.join(format!("{nth}"))).is_ok());
            std::thread::sleep(Duration::from_secs(60));
            made
        }
        "open-many" => {
            let files: Vec<_> = (0..64)
                .map(|_| File::open(folder.join("readable/file")))
                .collect();
            files.iter().all(Result::is_ok)
        }
        "spin" => {
            let mut number = 1u64;
            loop {
                number = std::hint::black_box(number.wrapping_mul(3));
            }
        }
        "sleep" => {
            std::thread::sleep(Duration::from_secs(60));
            true
        }
        "abort" => std::process::abort(),
        "panic" => panic!("as told"),
        "shout" => {
            for _ in 0..10_000 {
                eprintln!("\x1b[31m{}", "x".repeat(100));
            }
            true
        }
        other => panic!("no deed is called {other}"),
    }
}

/// Whether a descriptor takes a command that is neither a copy nor a flag of it, as the one is that says whom it signals.
#[cfg(unix)]
fn commands_a_descriptor(own: &Path) -> bool {
    use rustix::fs::{FlockOperation, fcntl_lock};
    let file = File::create(own.join("held")).expect("its own folder");
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(not(unix))]
fn commands_a_descriptor(_own: &Path) -> bool {
    false
}

#[cfg(unix)]
fn hard_link(own: &Path) -> bool {
    std::os::unix::fs::symlink("/etc/passwd", own.join("link")).is_ok()
        || fs::hard_link("/etc/passwd", own.join("hard")).is_ok()
}

#[cfg(not(unix))]
fn hard_link(own: &Path) -> bool {
    fs::hard_link(own.join("a"), own.join("b")).is_ok()
}

/// What an honest child does.
fn behaves(folder: &Path) -> bool {
    let own = folder.join("own");
    let read = fs::read(folder.join("readable/file")).expect("what may be read");
    fs::create_dir_all(own.join("a/b")).expect("its own folder");
    fs::write(own.join("a/b/c.partial"), &read).expect("its own folder");
    fs::rename(own.join("a/b/c.partial"), own.join("a/b/c")).expect("its own folder");
    let threads: Vec<_> = (0..3)
        .map(|nth| std::thread::spawn(move || vec![nth; 1 << 20].len()))
        .collect();
    let sum: usize = threads
        .into_iter()
        .map(|thread| thread.join().expect("it does not panic"))
        .sum();
    let copied = File::open(own.join("a/b/c"))
        .and_then(|mut from| std::io::copy(&mut from, &mut File::create(own.join("d"))?));
    sum == 3 << 20 && copied.expect("its own folder") == read.len() as u64
}
