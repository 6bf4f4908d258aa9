//! What people call things: ids, their beginnings, titles, names of keys.

use std::ffi::OsString;
use std::fmt;

use protocol::id::{Address, ItemId};
use protocol::receipt::Phase;

use super::Session;
use crate::failure::{Exit, Failure};
use crate::out;

/// How many ids an error lists.
const NAMED_MAX: usize = 8;

/// What may stand before an id on the command line, so that one that begins with
/// '-' is not read as flags: one id in 64 does.
const ID_PREFIX: &str = "id:";

/// Puts [`ID_PREFIX`] before an argument that is an id and begins with '-'.
pub fn guard_id(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with('-') && text.parse::<ItemId>().is_ok() => {
            format!("{ID_PREFIX}{text}").into()
        }
        _ => argument,
    }
}

/// An id's text without what may stand before it.
pub fn bare_id(text: &str) -> &str {
    text.strip_prefix(ID_PREFIX).unwrap_or(text)
}

fn is_beginning(text: &str, id: ItemId) -> bool {
    text.len() >= 6 && id.to_string().starts_with(text)
}

/// What a text may mean, and whose it is: anybody may take a name that another has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meant {
    id: ItemId,
    owner: Address,
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.id, out::short(self.owner))
    }
}

/// The one that has not ended, if there is exactly one; else all of them.
fn likeliest(found: &[(Meant, bool)]) -> Vec<Meant> {
    let meant = |only_running: bool| {
        let meant = found
            .iter()
            .filter(|(_, has_ended)| !(only_running && *has_ended));
        meant.map(|(meant, _)| *meant).collect::<Vec<_>>()
    };
    match meant(true).as_slice() {
        [running] => vec![*running],
        _ => meant(false),
    }
}

fn one_of(what: &str, text: &str, found: &[Meant]) -> Result<ItemId, Failure> {
    match found {
        [one] => Ok(one.id),
        [] => Err(Failure::new(
            format!("unknown_{what}"),
            format_args!("there is no {what} '{text:.60}'"),
            match what {
                "asset" => {
                    "look at 'lode dataset list' and 'lode model list' for ids; 6 characters of one are enough"
                        .to_owned()
                }
                what => format!("look at 'lode {what} list' for ids; 6 characters of one are enough"),
            },
        )
        .exit(Exit::NotFound)),
        many => Err(ambiguous(text, many)),
    }
}

/// A text that names several things: which, up to a number.
pub fn ambiguous<T: fmt::Display>(text: &str, found: &[T]) -> Failure {
    let named = found.iter().take(NAMED_MAX);
    let ids: Vec<String> = named.map(T::to_string).collect();
    let more = if found.len() > NAMED_MAX { ", …" } else { "" };
    let message = format_args!(
        "'{text:.60}' names {} of them: {}{more}",
        found.len(),
        ids.join(", ")
    );
    Failure::new("ambiguous", message, "give the id of one of them").exit(Exit::Usage)
}

impl Session {
    /// The bounty that a text names: its id, the beginning of it, or its title. Of several the
    /// one that has not ended.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn bounty_id(&self, text: &str) -> Result<ItemId, Failure> {
        self.bounty_id_of(text, None)
    }

    /// The same of this account's own bounties; of all, if it has none of that name. Anybody may post another
    /// of the same title.
    ///
    /// # Errors
    /// As there.
    pub fn own_bounty_id(&self, text: &str) -> Result<ItemId, Failure> {
        self.bounty_id_of(text, self.address().ok())
    }

    fn bounty_id_of(&self, text: &str, me: Option<Address>) -> Result<ItemId, Failure> {
        let text = bare_id(text);
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let bounties = self.client()?.bounties(None);
        let (mut found, mut own) = (Vec::new(), Vec::new());
        for bounty in bounties {
            let bounty = bounty?;
            if bounty.title.as_str() == text || is_beginning(text, bounty.id) {
                let has_ended = matches!(bounty.phase, Phase::Settled | Phase::Void(_));
                let meant = Meant {
                    id: bounty.id,
                    owner: bounty.sponsor,
                };
                found.push((meant, has_ended));
                if Some(bounty.sponsor) == me {
                    own.push((meant, has_ended));
                }
            }
        }
        let meant = if own.is_empty() { found } else { own };
        one_of("bounty", text, &likeliest(&meant))
    }

    /// The asset that a text names: its id, the beginning of it, or its name.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn asset_id(&self, text: &str) -> Result<ItemId, Failure> {
        let text = bare_id(text);
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let mut found = Vec::new();
        for asset in self.client()?.assets(&client::AssetFilter::default()) {
            let asset = asset?;
            if asset.name.as_str() == text || is_beginning(text, asset.id) {
                found.push(Meant {
                    id: asset.id,
                    owner: asset.maker,
                });
            }
        }
        one_of("asset", text, &found)
    }

    /// The account that a text names: an address, or the name of a key in the home.
    ///
    /// # Errors
    /// It is neither.
    pub fn account(&self, text: &str) -> Result<Address, Failure> {
        let text = bare_id(text);
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        match wallet::key_file::read_public(&self.key_path(text)) {
            Ok(public) => Ok(public.address()),
            Err(_) => Err(Failure::new(
                "account",
                format_args!("'{text:.60}' is neither an address nor the name of a key here"),
                "give the 43 characters of the address, or look at 'lode key show'",
            )
            .exit(Exit::NotFound)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(byte: u8) -> Meant {
        Meant {
            id: ItemId([byte; 32]),
            owner: Address([byte ^ 0x5a; 32]),
        }
    }

    #[test]
    fn a_title_names_the_bounty_that_has_not_ended() {
        let (one, two, three) = (meant(1), meant(2), meant(3));
        assert_eq!(likeliest(&[(one, true), (two, false)]), [two]);
        assert_eq!(likeliest(&[(one, true), (two, true)]), [one, two]);
        let open = [(one, true), (two, false), (three, false)];
        assert_eq!(likeliest(&open), [one, two, three]);
        assert_eq!(likeliest(&[(one, true)]), [one]);
    }

    #[test]
    fn an_ambiguity_lists_the_ids_and_whose_they_are() {
        let found: Vec<Meant> = (0..9).map(meant).collect();
        let failure = one_of("bounty", "x", &found).unwrap_err();
        assert_eq!(failure.code, "ambiguous");
        let named = format!("{} of {}", found[7].id, out::short(found[7].owner));
        assert!(failure.message.contains(&named), "{}", failure.message);
        assert!(!failure.message.contains(&found[8].id.to_string()));
    }

    #[test]
    fn an_id_that_begins_with_a_dash_is_no_flag() {
        let id = ItemId([0xf8; 32]).to_string();
        assert!(id.starts_with('-'));
        let guarded = guard_id(id.clone().into());
        assert_eq!(guarded.to_str().map(bare_id), Some(id.as_str()));
        for other in ["-y", "--json", "-", "model", &ItemId([0; 32]).to_string()] {
            assert_eq!(guard_id(other.into()), OsString::from(other));
        }
    }
}
