//! Short texts: amounts, ids, keys, parts of a hundred, paths, names. What is
//! read is written in its one form and read again as the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use licensing::Percent;
use protocol::archive::ArchivePath;
use protocol::keys::PublicKey;
use protocol::text::{Code, Name};
use protocol::{Address, Amount, Digest, Score};

fuzz_target!(|data: &[u8]| {
    if let Some(bits) = data.first_chunk::<8>() {
        let value = f64::from_bits(u64::from_le_bytes(*bits));
        if let Some(score) = Score::from_f64(value) {
            // Formatting rounds the exact value too, half to even.
            let text = format!("{value:.9}").replace('.', "");
            assert_eq!(text.parse().ok(), Some(i128::from(score.0)), "{value:e}");
        } else if value.is_finite() {
            assert!(value.abs() > 9.2e9, "{value:e} has a score");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    one_form::<Amount>(text);
    one_form::<Address>(text);
    one_form::<Digest>(text);
    one_form::<PublicKey>(text);
    one_form::<Percent>(text);
    one_form::<ArchivePath>(text);
    if let Ok(amount) = Amount::parse_lode(text) {
        assert_eq!(Amount::parse_lode(&amount.to_lode_string()), Ok(amount));
    }
    let lossy = Code::lossy(text);
    assert_eq!(Code::new(lossy.as_str()), Ok(lossy));
    if let Ok(name) = Name::new(text) {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(score) = protocol::json::from_slice::<Score>(data, 64) {
        assert_eq!(
            protocol::json::from_slice(&protocol::json::to_vec(&score), 64),
            Ok(score)
        );
    }
});

/// One meaning, one text.
fn one_form<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}
