//! A licence certificate: reading and verifying never panics, what is proven is
//! proven again from what is written; with signatures put right as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use licensing::Certificate;
use protocol::ans104::SignedItem;
use protocol::api::{from_base64url, to_base64url};
use protocol::json;

fuzz_target!(|data: &[u8]| {
    let Ok(mut certificate) = Certificate::read(data) else {
        return;
    };
    check(&certificate);
    let proof = &mut certificate.proof;
    for text in [
        &mut proof.genesis,
        &mut proof.record,
        &mut proof.header,
        &mut certificate.block,
        &mut certificate.asset,
    ] {
        if let Some(Ok(item)) = from_base64url(text).map(SignedItem::from_vec) {
            *text = to_base64url(lode_fuzz::signed_again(&item).bytes());
        }
    }
    check(&certificate);
});

fn check(certificate: &Certificate) {
    let proven = certificate.verify(None).ok();
    let written = json::to_vec(certificate);
    let again = Certificate::read(&written).expect("what is written is read");
    assert_eq!(&again, certificate);
    assert_eq!(again.verify(None).ok(), proven);
    if let Some(proven) = proven {
        assert!(certificate.verify(Some(proven.network)).is_ok());
        assert_eq!(proven.license, certificate.license);
    }
}
