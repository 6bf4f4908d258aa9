//! The smallest program for `--signer exec:`: it signs with a key file.
//!
//!     signer KEY_FILE PASSPHRASE_FILE
//!
//! It computes the message from the draft again and signs only if they agree,
//! which is where a real one would look at the record and ask its person.

use std::io::{self, BufRead as _};
use std::path::Path;
use std::process::ExitCode;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use protocol::ans104::{Draft, Tag};
use protocol::json;
use protocol::keys::SecretKey;
use serde::Deserialize;
use wallet::{PassphraseSource, key_file};

const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "lode-signer")]
    version: u32,
    op: String,
    message: Option<String>,
    draft: Option<DraftText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftText {
    target: Option<String>,
    anchor: Option<String>,
    tags: Vec<TagText>,
    data: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagText {
    name: String,
    value: String,
}

fn main() -> ExitCode {
    let answer = open().and_then(|key| answer(&key));
    match answer {
        Ok(line) => println!("{line}"),
        Err(why) => println!("{{\"error\":{}}}", quoted(&why)),
    }
    ExitCode::SUCCESS
}

fn open() -> Result<SecretKey, String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, passphrase] = arguments.as_slice() else {
        return Err("usage: signer KEY_FILE PASSPHRASE_FILE".to_owned());
    };
    let passphrase = PassphraseSource::File(passphrase.into()).read(path);
    passphrase
        .and_then(|passphrase| key_file::unlock(Path::new(path), &passphrase))
        .map(|words| words.secret_key())
        .map_err(|error| error.to_string())
}

fn answer(key: &SecretKey) -> Result<String, String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| error.to_string())?;
    let request: Request =
        json::from_slice(line.as_bytes(), REQUEST_BYTES_MAX).map_err(|error| error.to_string())?;
    match (
        request.version,
        &*request.op,
        request.message,
        request.draft,
    ) {
        (1, "public", None, None) => Ok(format!("{{\"public\":\"{}\"}}", key.public())),
        (1, "sign", Some(message), Some(draft)) => {
            let draft = read(draft).ok_or("the draft is not in base64url")?;
            let computed = draft
                .message(&key.public())
                .map_err(|error| error.to_string())?;
            if bytes(&message).as_deref() != Some(&computed[..]) {
                return Err("the message is not the draft's".to_owned());
            }
            let signature = Base64UrlUnpadded::encode_string(&key.sign(&computed));
            Ok(format!("{{\"signature\":\"{signature}\"}}"))
        }
        _ => Err("this is not a request of protocol 1".to_owned()),
    }
}

fn read(text: DraftText) -> Option<Draft> {
    let field = |text: Option<String>| match text {
        Some(text) => bytes(&text)?.try_into().ok().map(Some),
        None => Some(None),
    };
    Some(Draft {
        target: field(text.target)?,
        anchor: field(text.anchor)?,
        tags: text
            .tags
            .into_iter()
            .map(|tag| Tag::new(tag.name, tag.value))
            .collect(),
        data: bytes(&text.data)?,
    })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

fn quoted(text: &str) -> String {
    String::from_utf8(json::to_vec(&text)).unwrap_or_default()
}
