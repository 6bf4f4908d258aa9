use super::*;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

/// Two images of 1 × 2 × 3 bytes.
const IMAGES: &[u8] = &[
    0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, //
    0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6,
];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 9, 0];

fn spec() -> IdxSpec {
    IdxSpec {
        images: "i".into(),
        labels: "l".into(),
        inputs: 6,
        classes: 10,
        divide_inputs_by: 255,
    }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn code(file: &[u8], kind: IdxKind, cells_max: u64) -> &'static str {
    IdxArray::read(file, kind, cells_max)
        .expect_err("a fault")
        .code()
}

#[test]
fn images_and_labels_become_a_table_plain_or_packed() {
    let packed = (gz(IMAGES), gz(LABELS));
    for (images, labels) in [(IMAGES, LABELS), (&packed.0, &packed.1)] {
        let images = IdxArray::read(images, IdxKind::Images, 12).expect("images");
        let labels = IdxArray::read(labels, IdxKind::Labels, 2).expect("labels");
        assert_eq!(
            (images.sizes(), images.rows(), images.row_bytes()),
            (&[2, 1, 2, 3][..], 2, 6)
        );
        let table = to_table(&images, &labels, &spec()).expect("a table");
        assert_eq!(table.labels.classes(), Some(&[9, 0][..]));
        assert_eq!(table.inputs.dim(), (2, 6));
        // 51 / 255 and 1 / 255, each rounded once.
        assert_eq!(table.inputs[[0, 1]].to_bits(), 0x3e4c_cccd);
        assert_eq!(table.inputs[[1, 0]].to_bits(), 0x3b80_8081);
        assert_eq!(table.inputs[[0, 5]], 1.0);
        assert_eq!(
            (images.to_bytes(), labels.to_bytes()),
            (IMAGES.to_vec(), LABELS.to_vec())
        );
    }
}

#[test]
fn chosen_examples_keep_their_bytes() {
    let images = IdxArray::read(IMAGES, IdxKind::Images, 12).expect("images");
    let chosen = images.select(&[1]);
    assert_eq!(
        (chosen.sizes(), chosen.bytes()),
        (&[1, 1, 2, 3][..], &[1, 2, 3, 4, 5, 6][..])
    );
    assert_eq!(images.select(&[0, 1]), images);
}

#[test]
fn what_is_no_whole_file_is_refused() {
    let with = |place: usize, byte: u8| {
        let mut file = IMAGES.to_vec();
        file[place] = byte;
        file
    };
    let longer = [IMAGES, &[0]].concat();
    for (file, expected) in [
        (&b""[..], "idx_cut"),
        (&IMAGES[..3], "idx_cut"),
        (&IMAGES[..10], "idx_cut"),
        (&IMAGES[..IMAGES.len() - 1], "idx_cut"),
        (&longer, "idx_trailing"),
        (b"P5 28 28 255", "idx_magic"),
        (&with(0, 1), "idx_magic"),
        (&with(2, 0x0d), "idx_element_type"),
        (&with(3, 1), "idx_dimensions"),
        (&with(3, 5), "idx_dimensions"),
        (&with(3, 255), "idx_dimensions"),
        (&with(7, 0), "idx_empty"),
        (&with(7, 3), "idx_too_large"),
        (&with(8, 255), "idx_too_large"),
    ] {
        assert_eq!(code(file, IdxKind::Images, 12), expected);
        // Packed, the same file has the same fault.
        assert_eq!(code(&gz(file), IdxKind::Images, 12), expected);
    }
    assert_eq!(code(LABELS, IdxKind::Images, 12), "idx_dimensions");
    assert_eq!(code(IMAGES, IdxKind::Labels, 12), "idx_dimensions");
    assert_eq!(code(LABELS, IdxKind::Labels, 1), "idx_too_large");
}

#[test]
fn sizes_that_overflow_promise_too_much() {
    let huge = [&[0, 0, 8, 4][..], &[0xff; 16]].concat();
    assert_eq!(code(&huge, IdxKind::Images, u64::MAX), "idx_too_large");
    // A product of 2^64 that would wrap to zero.
    let wraps = [&[0, 0, 8, 4][..], &[0, 1, 0, 0].repeat(4)].concat();
    assert_eq!(code(&wraps, IdxKind::Images, u64::MAX), "idx_too_large");
}

#[test]
fn a_packed_file_that_unpacks_to_more_than_its_header_says_is_stopped() {
    // 64 MiB of zeros behind a header that promises two bytes.
    let mut bomb = vec![0, 0, 8, 1, 0, 0, 0, 2];
    bomb.resize(64 << 20, 0);
    let packed = gz(&bomb);
    assert!(packed.len() < 100_000);
    assert_eq!(code(&packed, IdxKind::Labels, 2), "idx_trailing");
    // A header that promises them, against the limit.
    bomb[4..8].copy_from_slice(&((64 << 20) - 8u32).to_be_bytes());
    assert_eq!(code(&gz(&bomb), IdxKind::Labels, 2), "idx_too_large");
}

#[test]
fn damaged_packing_and_what_follows_it_are_refused() {
    let packed = gz(LABELS);
    let last = packed.len() - 1;
    let mut checksum = packed.clone();
    checksum[last - 4] ^= 1;
    assert_eq!(code(&checksum, IdxKind::Labels, 2), "idx_gzip");
    let mut length = packed.clone();
    length[last] ^= 1;
    assert_eq!(code(&length, IdxKind::Labels, 2), "idx_gzip");
    assert_eq!(code(&packed[..last], IdxKind::Labels, 2), "idx_gzip");
    assert_eq!(
        code(&[&packed[..], &[0]].concat(), IdxKind::Labels, 2),
        "idx_trailing"
    );
    let twice = [&packed[..], &gz(b"")].concat();
    assert_eq!(code(&twice, IdxKind::Labels, 2), "idx_trailing");
}

#[test]
fn running_out_of_memory_is_no_fault_of_the_file() {
    /// Has memory for so many bytes.
    struct Short<'a>(&'a [u8]);
    impl Read for Short<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::OutOfMemory.into()),
                len => Ok(len),
            }
        }
    }
    for len in [0, 6] {
        let mut short = Short(&LABELS[..len]);
        let header = read_sizes(&mut short, IdxKind::Labels, 2);
        assert_eq!(header, Err(IdxError::OutOfMemory), "{len}");
    }
    let cells = read_cells(&mut Short(&[9]), 2);
    assert_eq!(cells, Err(IdxError::OutOfMemory));
}

#[test]
fn arrays_that_do_not_fit_each_other_make_no_table() {
    let images = IdxArray::read(IMAGES, IdxKind::Images, 12).expect("images");
    let labels = IdxArray::read(LABELS, IdxKind::Labels, 2).expect("labels");
    let check = |images: &IdxArray, spec: &IdxSpec, expected| {
        let error = to_table(images, &labels, spec).expect_err(expected);
        assert_eq!(error.code(), expected, "{error}");
    };
    check(
        &images,
        &IdxSpec {
            inputs: 5,
            ..spec()
        },
        "idx_inputs",
    );
    check(&images.select(&[0]), &spec(), "idx_rows");
    check(
        &images,
        &IdxSpec {
            classes: 9,
            ..spec()
        },
        "idx_label",
    );
}

proptest! {
    #[test]
    fn a_file_is_read_if_it_has_as_many_bytes_as_its_sizes_say(
        bytes in prop::collection::vec(any::<u8>(), 1..40),
        height in 1..4usize,
        width in 1..4usize,
        missing in prop::option::weighted(0.3, 1..3usize),
        packed: bool,
        labels: bool,
    ) {
        let each = if labels { 1 } else { height * width };
        let rows = bytes.len().div_ceil(each);
        let mut file = vec![0, 0, 8, if labels { 1 } else { 3 }];
        let sizes = if labels { vec![rows] } else { vec![rows, height, width] };
        file.extend(sizes.iter().flat_map(|size| (*size as u32).to_be_bytes()));
        file.extend(&bytes);
        file.resize(file.len() - bytes.len() + rows * each, 7);
        file.truncate(file.len() - missing.unwrap_or(0).min(rows * each));
        let file = if packed { gz(&file) } else { file };
        let kind = if labels { IdxKind::Labels } else { IdxKind::Images };
        let read = IdxArray::read(&file, kind, 1 << 20);
        prop_assert_eq!(read.is_ok(), missing.is_none(), "{:?}", read);
        if let Ok(array) = read {
            prop_assert_eq!((array.rows(), array.row_bytes()), (rows, each));
            prop_assert_eq!(&array.bytes()[..bytes.len()], &bytes[..]);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, dimensions in prop::option::weighted(0.8, 0..6u8), packed: bool) {
        let mut file: Vec<u8> = dimensions.map(|count| [0, 0, 8, count]).into_iter().flatten().collect();
        file.extend(bytes);
        let file = if packed { gz(&file) } else { file };
        for kind in [IdxKind::Labels, IdxKind::Images] {
            let _ = IdxArray::read(&file, kind, 1 << 20);
        }
    }

    #[test]
    fn no_change_of_a_packed_file_panics(place in any::<prop::sample::Index>(), byte: u8) {
        let mut packed = gz(IMAGES);
        let place = place.index(packed.len());
        packed[place] = byte;
        if let Ok(array) = IdxArray::read(&packed, IdxKind::Images, 12) {
            // Only what the checksum does not cover was changed: time, flags, system.
            prop_assert_eq!(array.to_bytes(), IMAGES);
        }
    }
}
