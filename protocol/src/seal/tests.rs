use super::*;

const NETWORK: NetworkId = NetworkId([1; 32]);
const BOUNTY: ItemId = ItemId([2; 32]);
const OWNER: Address = Address([3; 32]);
const ROOT: BlobId = BlobId([5; 32]);
const NONCE: [u8; NONCE_LEN] = [9; NONCE_LEN];

fn key() -> SealKey {
    SealKey::from_bytes([4; 32])
}

fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + (i >> 8) * 17) as u8).collect()
}

fn sealed(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let blob = encrypt(&key(), NONCE, &plaintext(len)[..], &mut out).unwrap();
    assert_eq!(blob.len, out.len() as u64);
    assert_eq!(blob.root, BlobId(*blake3::hash(&out).as_bytes()));
    assert_eq!(ciphertext_len(len as u64), Some(blob.len));
    out
}

fn opened(ciphertext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::new();
    let len = decrypt(&key(), ciphertext, &mut out)?;
    assert_eq!(len, out.len() as u64);
    Ok(out)
}

fn bad_chunk(ciphertext: &[u8]) -> u64 {
    match opened(ciphertext) {
        Err(SealError::BadChunk { index }) => index,
        other => panic!("expected a bad chunk, got {:?}", other.map(|p| p.len())),
    }
}

const LENGTHS: [usize; 7] = [
    0,
    1,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    2 * CHUNK_BYTES,
    200_000,
];

#[test]
fn what_is_sealed_opens() {
    for len in LENGTHS {
        assert_eq!(opened(&sealed(len)).unwrap(), plaintext(len), "{len} bytes");
    }
}

#[test]
fn an_opener_reads_in_pieces_of_any_size() {
    let ciphertext = sealed(150_000);
    let mut opener = Opener::new(&key(), &ciphertext[..]).unwrap();
    let mut out = Vec::new();
    let mut piece = [0; 777];
    loop {
        match opener.read(&mut piece).unwrap() {
            0 => break,
            len => out.extend_from_slice(&piece[..len]),
        }
    }
    assert_eq!(out, plaintext(150_000));
    assert_eq!(opener.read(&mut piece).unwrap(), 0);
}

#[test]
fn an_opener_says_why_it_stopped() {
    let mut ciphertext = sealed(150_000);
    ciphertext[HEADER_BYTES + CHUNK_BYTES + TAG_BYTES] ^= 1;
    let mut opener = Opener::new(&key(), &ciphertext[..]).unwrap();
    let mut out = Vec::new();
    let error = opener.read_to_end(&mut out).unwrap_err();
    assert_eq!(out, plaintext(CHUNK_BYTES));
    let cause = error.into_inner().unwrap().downcast::<SealError>().unwrap();
    assert!(matches!(*cause, SealError::BadChunk { index: 1 }));
    assert!(opener.next_chunk().unwrap().is_none());
}

#[test]
fn the_first_bad_chunk_is_named() {
    let good = sealed(200_000);
    let chunk = CHUNK_BYTES + TAG_BYTES;
    for index in 0..4 {
        for place in [0, 100, TAG_BYTES + 3_391] {
            let mut bad = good.clone();
            bad[HEADER_BYTES + index * chunk + place] ^= 0x10;
            assert_eq!(bad_chunk(&bad), index as u64);
        }
    }
    // A changed nonce is another stream from its first chunk on.
    let mut bad = good.clone();
    bad[MAGIC.len()] ^= 1;
    assert_eq!(bad_chunk(&bad), 0);
    // So is another key.
    let other = SealKey::from_bytes([6; 32]);
    let result = decrypt(&other, &good[..], io::sink());
    assert!(matches!(result, Err(SealError::BadChunk { index: 0 })));
}

#[test]
fn every_byte_of_a_small_ciphertext_counts() {
    let good = sealed(40);
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        match opened(&bad) {
            Err(SealError::BadHeader) => assert!(place < MAGIC.len()),
            Err(SealError::BadChunk { index: 0 }) => assert!(place >= MAGIC.len()),
            other => panic!("byte {place}: {other:?}"),
        }
    }
}

#[test]
fn a_cut_a_swap_and_an_addition_are_bad_chunks() {
    let good = sealed(200_000);
    let chunk = CHUNK_BYTES + TAG_BYTES;
    let starts: Vec<usize> = (0..4).map(|i| HEADER_BYTES + i * chunk).collect();

    for len in 0..HEADER_BYTES {
        assert!(matches!(opened(&good[..len]), Err(SealError::BadHeader)));
    }
    assert_eq!(bad_chunk(&good[..starts[0]]), 0);
    assert_eq!(bad_chunk(&good[..starts[0] + 5]), 0);
    assert_eq!(bad_chunk(&good[..starts[1]]), 0);
    assert_eq!(bad_chunk(&good[..starts[3]]), 2);
    assert_eq!(bad_chunk(&good[..good.len() - 1]), 3);
    assert_eq!(bad_chunk(&[&good[..], b"x"].concat()), 3);
    assert_eq!(bad_chunk(&[&good[..], &good[starts[3]..]].concat()), 3);

    let mut swapped = good[..starts[0]].to_vec();
    swapped.extend_from_slice(&good[starts[1]..starts[2]]);
    swapped.extend_from_slice(&good[starts[0]..starts[1]]);
    swapped.extend_from_slice(&good[starts[2]..]);
    assert_eq!(bad_chunk(&swapped), 0);

    let full = sealed(CHUNK_BYTES);
    assert_eq!(bad_chunk(&[&full[..], b"x"].concat()), 0);
}

#[test]
fn an_empty_last_chunk_is_no_second_spelling() {
    // A full chunk that is not the last, then an empty one that is: another
    // writer could make it, and it would hold the same plaintext.
    let stream = stream(&key(), &NONCE);
    let mut first = plaintext(CHUNK_BYTES);
    let mut second = Vec::new();
    stream.encrypt_in_place(0, false, &[], &mut first).unwrap();
    stream.encrypt_in_place(1, true, &[], &mut second).unwrap();
    let loose = [&MAGIC[..], &NONCE, &first, &second].concat();
    assert_eq!(bad_chunk(&loose), 1);
}

#[test]
fn only_a_failed_read_or_write_is_no_verdict() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let good = sealed(100_000);
    let error = decrypt(&key(), good[..70_000].chain(Broken), io::sink()).unwrap_err();
    assert!(!error.is_verdict());
    assert!(SealError::BadChunk { index: 0 }.is_verdict());
    assert!(SealError::BadHeader.is_verdict());
}

#[test]
fn the_longest_plaintext_is_known() {
    assert_eq!(ciphertext_len(0), Some(48));
    assert!(ciphertext_len(PLAINTEXT_BYTES_MAX).is_some());
    assert_eq!(ciphertext_len(PLAINTEXT_BYTES_MAX + 1), None);
    assert_eq!(ciphertext_len(u64::MAX), None);
}

#[test]
fn a_seal_binds_everything_that_it_names() {
    let scope = SealScope::submission(NETWORK, BOUNTY, OWNER);
    let seal = seal_digest(&scope, &key(), &ROOT, 100);
    let network = NetworkId([7; 32]);
    let others = [
        seal_digest(&SealScope { network, ..scope }, &key(), &ROOT, 100),
        seal_digest(
            &SealScope::submission(NETWORK, ItemId([7; 32]), OWNER),
            &key(),
            &ROOT,
            100,
        ),
        seal_digest(
            &SealScope::submission(NETWORK, BOUNTY, Address([7; 32])),
            &key(),
            &ROOT,
            100,
        ),
        seal_digest(&SealScope::test_set(NETWORK, OWNER, 0), &key(), &ROOT, 100),
        seal_digest(&SealScope::test_set(NETWORK, OWNER, 1), &key(), &ROOT, 100),
        seal_digest(&scope, &SealKey::from_bytes([7; 32]), &ROOT, 100),
        seal_digest(&scope, &key(), &BlobId([7; 32]), 100),
        seal_digest(&scope, &key(), &ROOT, 101),
    ];
    let mut all: Vec<_> = others.into_iter().chain([seal]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9);
}

#[test]
fn a_test_set_cannot_pass_for_a_submission() {
    // A bounty whose id were the poster's address: role and context still differ.
    let submission = SealScope::submission(NETWORK, ItemId(OWNER.0), OWNER);
    let test_set = SealScope::test_set(NETWORK, OWNER, 0);
    assert_eq!(submission.role(), Role::Submission);
    assert_eq!(test_set.role(), Role::TestSet);
    assert_ne!(
        seal_digest(&submission, &key(), &ROOT, 1),
        seal_digest(&test_set, &key(), &ROOT, 1)
    );
}

#[test]
fn seals_are_the_hash_of_the_bytes_in_the_module_head() {
    let mut bytes = b"lode/seal/1".to_vec();
    bytes.extend_from_slice(&[1; 32]);
    bytes.push(0);
    bytes.extend_from_slice(&[3; 32]);
    bytes.extend_from_slice(&[0x0d, 0xf0, 0xad, 0x8b, 0, 0, 0, 0]);
    bytes.push(0);
    bytes.extend_from_slice(&[3; 32]);
    bytes.extend_from_slice(&[4; 32]);
    bytes.extend_from_slice(&[5; 32]);
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), SEAL_BYTES);
    let scope = SealScope::test_set(NETWORK, OWNER, 0x8bad_f00d);
    assert_eq!(
        seal_digest(&scope, &key(), &ROOT, 256),
        Digest(Sha256::digest(&bytes).into())
    );
}

#[test]
fn a_key_reads_back_and_is_never_printed() {
    let key = key();
    assert_eq!(key.to_text().parse::<SealKey>(), Ok(key.clone()));
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<SealKey>(&json).unwrap(), key);
    assert_eq!(format!("{key:?}"), "SealKey(hidden)");
    assert!("x".parse::<SealKey>().is_err());
}
