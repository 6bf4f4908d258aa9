//! Programs for `--signer exec:` that do not keep to the protocol, for tests.
//!
//!     bad_signer silent|fails|hangs|floods|babbles|declines|forges|empty
//!     bad_signer hangs FILE          writes its process id into the file first
//!
//! `forges` names a key and answers a request to sign with 64 zero bytes.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::thread;

use protocol::keys::SecretKey;

fn main() -> ExitCode {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let key = SecretKey::from_seed(&[9; 32]).public();
    match &*kind {
        "silent" => {}
        "fails" => return ExitCode::from(7),
        "hangs" => {
            if let Some(file) = std::env::args().nth(2) {
                let id = std::process::id().to_string();
                if std::fs::write(file, id).is_err() {
                    return ExitCode::FAILURE;
                }
            }
            loop {
                thread::park();
            }
        }
        "floods" => {
            // Ends when nobody reads any longer.
            while io::stdout().write_all(&[b'{'; 1024]).is_ok() {}
        }
        "babbles" => println!("here is the key: {key}"),
        "empty" => println!("{{}}"),
        "declines" => println!("{{\"error\":\"the \\u001b[31mkey is in the safe\"}}"),
        "forges" => {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            if read.is_ok() && line.contains("\"sign\"") {
                // 64 zero bytes.
                println!("{{\"signature\":\"{}\"}}", "A".repeat(86));
            } else {
                println!("{{\"public\":\"{key}\"}}");
            }
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
