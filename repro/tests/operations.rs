//! Every operation gives its golden bits, on every path, at every thread count.

mod support;

use repro::paths;
use std::collections::BTreeSet;
use support::vectors::{self, Vector};
use support::{assert_golden, every_setting, networks};

fn lines() -> Vec<String> {
    vectors::all().iter().map(Vector::line).collect()
}

#[test]
fn every_operation_gives_the_stored_bits_on_every_path_and_thread_count() {
    for settings in every_setting() {
        assert_golden("operations.txt", &paths::with(settings, lines));
    }
}

#[test]
fn every_operation_gives_the_same_bits_twice() {
    assert_eq!(lines(), lines());
}

#[test]
fn version_1_is_frozen() {
    let vectors = vectors::all();
    let digest = vectors::operations(&vectors);
    let total = vectors::total(&vectors, &networks::trainings());
    for said in [
        format!("{} golden vectors, digest `{digest:016x}`", vectors.len()),
        format!("`total` (`{total:016x}`)"),
    ] {
        assert!(
            include_str!("../../docs/repro.md").contains(&said),
            "docs/repro.md does not say: {said}. A change of any result is version 2"
        );
    }
}

/// Vectors may be added to version 1 (`added.txt` has their calls); those that were frozen with it stay as they were.
#[test]
fn the_vectors_of_the_freeze_are_what_they_were() {
    let added: BTreeSet<&str> = include_str!("vectors/added.txt").lines().collect();
    let mut frozen = 0;
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for line in include_str!("vectors/operations.txt").lines() {
        let (call, _) = line.split_once(" = ").expect("a call and its result");
        if added.contains(call) {
            continue;
        }
        frozen += 1;
        for byte in line.bytes().chain([b'\n']) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    assert_eq!((frozen, digest), (502, 0x2a14_c730_e6f7_5925));
}

/// Own methods that no number comes out of.
const WITHOUT_NUMBERS: [&str; 11] = [
    "float_from_data",
    "float_device",
    "float_to_device",
    "int_device",
    "int_to_device",
    "bool_device",
    "bool_to_device",
    "name",
    "dtype_usage",
    "device_count",
    "int_from_data",
];

#[test]
fn every_operation_of_our_own_has_a_golden_vector() {
    let called: BTreeSet<&str> = vectors::all().iter().map(|vector| vector.name).collect();
    let own = include_str!("../ops.txt")
        .lines()
        .filter_map(|line| line.strip_suffix(" own"));
    let missing: Vec<&str> = own
        .filter(|name| !called.contains(name) && !WITHOUT_NUMBERS.contains(name))
        .collect();
    assert!(missing.is_empty(), "no golden vector calls {missing:?}");
}

/// Other methods that no number comes out of, or none but those that every vector is read by.
const NOTHING_COMPUTED: [&str; 5] = [
    "float_into_data",
    "float_detach",
    "float_set_require_grad",
    "float_is_require_grad",
    "has_ctc_loss_backward",
];

#[test]
fn every_operation_on_floats_has_a_golden_vector_whoever_computes_it() {
    let called: BTreeSet<&str> = vectors::all().iter().map(|vector| vector.name).collect();
    let mut section = "";
    let mut missing = Vec::new();
    for line in include_str!("../ops.txt").lines() {
        if line.starts_with('[') {
            section = line;
        }
        let of_floats = ["[FloatTensorOps]", "[ModuleOps]", "[ActivationOps]"].contains(&section);
        let known = line.strip_suffix(" delegate");
        if let Some(name) = known.or(line.strip_suffix(" default"))
            && of_floats
            && !called.contains(name)
            && !NOTHING_COMPUTED.contains(&name)
        {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "no golden vector calls {missing:?}");
}
