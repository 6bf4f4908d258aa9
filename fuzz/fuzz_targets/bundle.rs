//! A bundle: what is read is written again as the same bytes.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use protocol::ans104::SignedItem;
use protocol::ans104::bundle::{BundleReader, BundleWriter, Limits, decode};

fuzz_target!(|data: &[u8]| {
    let verified = decode(data);
    let Ok(reader) = BundleReader::new(data, Limits::default()) else {
        assert!(verified.is_err());
        return;
    };
    let Ok(items) = reader.collect::<Result<Vec<_>, _>>() else {
        assert!(verified.is_err());
        return;
    };
    let entries = items
        .iter()
        .map(|item| (item.bytes().len() as u64, item.id()));
    let mut writer = BundleWriter::write_header(Vec::new(), items.len() as u64, entries)
        .expect("as many entries as counted");
    for item in &items {
        writer.write_item(item).expect("memory takes every write");
    }
    let written = writer.finish().expect("the items of the header");
    assert_eq!(written, data, "a second spelling");
    let holds = |item: &SignedItem| item.clone().verify().is_ok();
    assert_eq!(verified.is_ok(), items.iter().all(holds));
    if let Ok(verified) = verified {
        assert_eq!(verified.len(), items.len());
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    lode_fuzz::mutate_bundle(data, size, max_size, seed)
});
