//! Records, the genesis and block headers: what is read is drafted and read
//! again as the same. The input is an item whose signature need not hold; it is
//! signed again, so that mutations reach what lies behind it.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use protocol::ans104::SignedItem;
use protocol::block::HeaderRecord;
use protocol::record::{GenesisRecord, Transaction};

fuzz_target!(|data: &[u8]| {
    let Ok(item) = SignedItem::decode(data) else {
        return;
    };
    let item = lode_fuzz::signed_again(&item);
    let key = lode_fuzz::key();
    if let Ok(read) = Transaction::read(&item) {
        let draft = Transaction::draft(&read.envelope, &read.action);
        let tried = Transaction::of_draft(item.address(), &draft).expect("a draft of a record");
        let again = Transaction::read(&draft.sign(key).expect("tags within the limits"))
            .expect("what is drafted is read");
        assert_eq!(again.action, read.action);
        assert_eq!(again.envelope, read.envelope);
        assert_eq!(
            (tried.action, tried.size_bytes),
            (again.action, again.size_bytes)
        );
    }
    if let Ok(read) = GenesisRecord::read(&item) {
        let again = read.genesis.draft().sign(key).expect("few tags");
        let again = GenesisRecord::read(&again).expect("what is drafted is read");
        assert_eq!(again.genesis, read.genesis);
        // The rules decide what a network may begin with, and do not panic over it.
        let _ = market::State::genesis(&read);
    }
    if let Ok(read) = HeaderRecord::read(&item) {
        let again = read.header.draft(read.network).sign(key).expect("few tags");
        let again = HeaderRecord::read(&again).expect("what is drafted is read");
        assert_eq!(again.header, read.header);
        assert_eq!(again.network, read.network);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    lode_fuzz::mutate_item(data, size, max_size, seed)
});
