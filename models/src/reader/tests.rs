use proptest::prelude::*;

use super::*;
use crate::config::MlpConfig;

fn config() -> MlpConfig {
    MlpConfig::new(2, &[3], 2).expect("these widths are within the limits")
}

fn weights() -> Weights {
    let mut next = 0.0;
    Weights::generate(&config(), |spec| {
        (0..spec.len())
            .map(|_| {
                next += 0.5;
                next
            })
            .collect()
    })
    .expect("the values are finite")
}

const HEADER: &str = concat!(
    r#"{"layers.0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"#,
    r#""layers.0.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[12,36]},"#,
    r#""layers.1.bias":{"dtype":"F32","shape":[2],"data_offsets":[36,44]},"#,
    r#""layers.1.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[44,68]}}"#
);

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        data,
    ]
    .concat()
}

/// The header with one place changed, over 68 bytes of zeros.
fn changed(from: &str, to: &str) -> Vec<u8> {
    assert!(HEADER.contains(from), "the header has no '{from}'");
    file(&HEADER.replacen(from, to, 1), &[0; 68])
}

fn check(bytes: &[u8], code: &str, place: &str) {
    let error = Weights::from_safetensors(&config(), bytes).expect_err("this file is hostile");
    assert_eq!(
        (error.code(), error.place().as_str()),
        (code, place),
        "{error}"
    );
}

#[test]
fn what_was_written_is_read_back() {
    let weights = weights();
    let read = Weights::from_safetensors(&config(), &weights.to_safetensors());
    assert_eq!(read, Ok(weights));
}

#[test]
fn header_padding_metadata_and_order_do_not_make_a_new_model() {
    let digest = |bytes: &[u8]| Weights::from_safetensors(&config(), bytes).map(|w| w.digest());
    let plain = digest(&file(HEADER, &[0; 68]));
    assert!(plain.is_ok());
    let padded = format!("{HEADER}   \n");
    assert_eq!(digest(&file(&padded, &[0; 68])), plain);
    let tagged = HEADER.replacen('{', r#"{"__metadata__":{"format":"pt"},"#, 1);
    assert_eq!(digest(&file(&tagged, &[0; 68])), plain);
    // The two biases change places in the data.
    let moved = HEADER
        .replace("[0,12]", "[8,20]")
        .replace("[12,36]", "[20,44]")
        .replace("[36,44]", "[0,8]");
    assert_eq!(digest(&file(&moved, &[0; 68])), plain);
    let mut other = [0; 68];
    other[3] = 0x80;
    assert_ne!(digest(&file(HEADER, &other)), plain);
}

#[test]
fn truncated_and_oversized_files_are_refused_before_they_are_parsed() {
    check(&[], "weights_truncated", "model.safetensors");
    check(&[0; 7], "weights_truncated", "model.safetensors");
    check(
        &u64::MAX.to_le_bytes(),
        "weights_header_too_long",
        "model.safetensors",
    );
    check(
        &(HEADER_BYTES_MAX + 1).to_le_bytes(),
        "weights_header_too_long",
        "model.safetensors",
    );
    check(
        &HEADER_BYTES_MAX.to_le_bytes(),
        "weights_truncated",
        "model.safetensors",
    );
    check(
        &file(HEADER, &[0; 67]),
        "weights_data_size",
        "model.safetensors",
    );
    check(
        &file(HEADER, &[0; 69]),
        "weights_data_size",
        "model.safetensors",
    );
    let whole = weights().to_safetensors();
    for len in 0..whole.len() {
        assert!(Weights::from_safetensors(&config(), &whole[..len]).is_err());
    }
}

#[test]
fn malformed_headers_are_refused() {
    let form = |header: &str| {
        check(
            &file(header, &[0; 68]),
            "weights_header_form",
            "model.safetensors",
        )
    };
    form("");
    form("[]");
    form(" {}");
    form(&HEADER[..HEADER.len() - 1]);
    form(&format!("{HEADER}}}"));
    form(&"{\"a\":".repeat(100_000));
    form(&"[".repeat(100_000));
    form(&HEADER.replace("[3]", "[-3]"));
    form(&HEADER.replace("[3]", "[3.0]"));
    form(&HEADER.replace("[3]", "3"));
    form(&HEADER.replace("[0,12]", "[0]"));
    form(&HEADER.replace("[0,12]", "[0,12,12]"));
    let entry = r#"{"dtype":"F32","shape":[3],"data_offsets":[0,12]}"#;
    assert!(HEADER.contains(entry));
    form(&HEADER.replace(entry, r#"["F32",[3],[0,12]]"#));
    form(&HEADER.replace(r#""shape":[3],"#, ""));
    form(&HEADER.replace(r#""shape":[3],"#, r#""shape":[3],"shape":[3],"#));
    form(&HEADER.replace(r#""shape":[3],"#, r#""shape":[3],"extra":1,"#));
    form(&HEADER.replacen('{', r#"{"__metadata__":{"depth":1},"#, 1));
    let mut bytes = file(HEADER, &[0; 68]);
    bytes[12] = 0xff;
    check(&bytes, "weights_header_form", "model.safetensors");
}

#[test]
fn keys_given_twice_are_refused() {
    let twice = HEADER.replacen(
        '{',
        r#"{"layers.1.bias":{"dtype":"F32","shape":[2],"data_offsets":[36,44]},"#,
        1,
    );
    check(
        &file(&twice, &[0; 68]),
        "weights_duplicate_key",
        "model.safetensors/layers.1.bias",
    );
    let metadata = HEADER.replacen('{', r#"{"__metadata__":{},"__metadata__":{},"#, 1);
    check(
        &file(&metadata, &[0; 68]),
        "weights_duplicate_key",
        "model.safetensors/__metadata__",
    );
    let inside = HEADER.replacen('{', r#"{"__metadata__":{"a":"b","a":"c"},"#, 1);
    check(
        &file(&inside, &[0; 68]),
        "weights_duplicate_key",
        "model.safetensors/__metadata__/a",
    );
}

#[test]
fn other_tensors_dtypes_and_shapes_are_refused() {
    let bias = "model.safetensors/layers.0.bias";
    check(
        &changed("layers.0.bias", "layers.0.scale"),
        "tensor_unknown",
        "model.safetensors/layers.0.scale",
    );
    let missing = HEADER.replace(
        r#""layers.0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"#,
        "",
    );
    check(&file(&missing, &[0; 68]), "tensor_missing", bias);
    check(&changed("F32", "F64"), "tensor_dtype", bias);
    check(&changed("F32", "FLOAT"), "tensor_dtype", bias);
    check(&changed("[3]", "[4]"), "tensor_shape", bias);
    check(&changed("[3]", "[1,3]"), "tensor_shape", bias);
    check(
        &changed("[3]", "[18446744073709551615,18446744073709551615]"),
        "tensor_shape",
        bias,
    );
    // Tensors of no value at all, with no bytes or with all of them.
    check(&changed("[3]", "[0]"), "tensor_shape", bias);
    check(&changed("[3]", "[]"), "tensor_shape", bias);
    check(
        &changed("[3]", "[0,18446744073709551615]"),
        "tensor_shape",
        bias,
    );
    let empty = HEADER.replace("[3]", "[0]").replace("[0,12]", "[0,0]");
    check(&file(&empty, &[0; 68]), "tensor_shape", bias);
    check(
        &changed("[3,2]", "[2,3]"),
        "tensor_shape",
        "model.safetensors/layers.0.weight",
    );
    let long = "x".repeat(10_000);
    let place = format!("model.safetensors/{}", &long[..80]);
    check(&changed("layers.0.bias", &long), "tensor_unknown", &place);
}

#[test]
fn tensors_that_overlap_leave_holes_or_run_out_are_refused() {
    let place = |name: &str| format!("model.safetensors/{name}");
    check(
        &changed("[12,36]", "[0,24]"),
        "tensor_offsets",
        &place("layers.0.weight"),
    );
    check(
        &changed("[12,36]", "[8,32]"),
        "tensor_offsets",
        &place("layers.0.weight"),
    );
    check(
        &changed("[12,36]", "[16,40]"),
        "tensor_offsets",
        &place("layers.0.weight"),
    );
    check(
        &changed("[0,12]", "[0,8]"),
        "tensor_offsets",
        &place("layers.0.bias"),
    );
    check(
        &changed("[0,12]", "[12,0]"),
        "tensor_offsets",
        &place("layers.0.bias"),
    );
    let far = "[18446744073709551604,18446744073709551615]";
    check(
        &changed("[0,12]", far),
        "tensor_offsets",
        &place("layers.0.weight"),
    );
}

#[test]
fn weights_that_are_not_finite_are_refused_with_their_place() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut data = [0; 68];
        data[12 + 4 * 5..12 + 4 * 6].copy_from_slice(&value.to_le_bytes());
        let place = "model.safetensors/layers.0.weight/5";
        check(&file(HEADER, &data), "weight_not_finite", place);
    }
}

proptest! {
    #[test]
    fn any_bytes_give_weights_or_a_coded_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Weights::from_safetensors(&config(), &bytes);
        let _ = MlpConfig::from_json(&bytes);
    }

    #[test]
    fn a_mutated_file_gives_weights_or_a_coded_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = weights().to_safetensors();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // Whatever is accepted is finite and complete, so it can be written and read again.
        if let Ok(read) = Weights::from_safetensors(&config(), &bytes) {
            prop_assert_eq!(Weights::from_safetensors(&config(), &read.to_safetensors()), Ok(read));
        }
    }

    #[test]
    fn a_mutated_configuration_gives_shapes_or_a_coded_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = config().to_json();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(read) = MlpConfig::from_json(&bytes) {
            prop_assert_eq!(MlpConfig::from_json(&read.to_json()), Ok(read));
        }
    }
}
