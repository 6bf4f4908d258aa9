//! What a `model.safetensors` can say that is not so: each lie has one code at one
//! place, and what is odd but true is scored.

use std::fs;

use crate::support::{Bench, config, weights};
use evaluator::{Options, evaluate};
use models::reader::HEADER_BYTES_MAX;
use protocol::report::Outcome;

const FILE: &str = "model.safetensors";

/// A sound file in its two parts: the header's text, and the tensors' bytes.
struct Parts {
    header: String,
    data: Vec<u8>,
}

impl Parts {
    fn sound() -> Self {
        let file = weights(&config(), 1).to_safetensors();
        let (length, rest) = file.split_first_chunk().expect("a length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Self {
            header: String::from_utf8(header.to_vec()).expect("JSON"),
            data: data.to_vec(),
        }
    }

    /// With one place of the header changed.
    fn with(from: &str, to: &str) -> Self {
        let mut parts = Self::sound();
        assert!(
            parts.header.contains(from),
            "{} has no {from}",
            parts.header
        );
        parts.header = parts.header.replacen(from, to, 1);
        parts
    }

    /// With something before the first tensor.
    fn before(first: &str) -> Self {
        Self::with("{", &format!("{{{first},"))
    }

    /// With blanks behind the header until it has so many bytes.
    fn padded(mut self, len: u64) -> Self {
        let blanks = len as usize - self.header.len();
        self.header += &" ".repeat(blanks);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        file(self.header.len() as u64, self.header.as_bytes(), &self.data)
    }
}

fn file(length: u64, header: &[u8], data: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], header, data].concat()
}

/// What everyone attests of a model with these bytes.
fn outcome(bytes: &[u8]) -> Outcome {
    let mut bench = Bench::new();
    bench.benchmark.limits.file_bytes_max = 4 << 20;
    fs::write(bench.model.join(FILE), bytes).expect("a file");
    let report = evaluate(&bench.job(), Options::default()).expect("a verdict");
    report.outcome
}

fn check(name: &str, bytes: &[u8], code: &str, place: &str) {
    let Outcome::Invalid { code: c, place: p } = outcome(bytes) else {
        panic!("{name}: it was scored");
    };
    let place = match place {
        "" => FILE.to_owned(),
        tensor => format!("{FILE}/{tensor}"),
    };
    assert_eq!((c.as_str(), p.as_str()), (code, place.as_str()), "{name}");
}

fn check_scored(name: &str, bytes: &[u8]) {
    let outcome = outcome(bytes);
    assert!(
        matches!(outcome, Outcome::Scored { .. }),
        "{name}: {outcome:?}"
    );
}

const BIAS: &str = r#""layers.0.bias":{"dtype":"F32","shape":[33],"data_offsets":[0,132]}"#;

#[test]
fn lies_about_where_tensors_are_have_their_code_and_place() {
    let (weight, last) = ("layers.0.weight", "layers.2.weight");
    for (name, from, to, place) in [
        ("two at the same bytes", "[132,2772]", "[0,2640]", weight),
        (
            "an overlap of one float",
            "[132,2772]",
            "[128,2768]",
            weight,
        ),
        ("a gap of one float", "[132,2772]", "[136,2776]", weight),
        ("no float's beginning", "[132,2772]", "[133,2773]", weight),
        ("backwards", "[0,132]", "[132,0]", "layers.0.bias"),
        ("half of its bytes", "[0,132]", "[0,66]", "layers.0.bias"),
        ("not a byte", "[0,132]", "[0,0]", "layers.0.bias"),
        ("beyond the file", "[5104,5444]", "[5108,5448]", last),
        (
            "at the end of all numbers",
            "[5104,5444]",
            "[18446744073709551275,18446744073709551615]",
            last,
        ),
    ] {
        check(
            name,
            &Parts::with(from, to).bytes(),
            "tensor_offsets",
            place,
        );
    }
    for (name, from, to) in [
        ("a negative offset", "[0,132]", "[-4,128]"),
        ("an offset of 2^64", "[0,132]", "[0,18446744073709551616]"),
        ("an offset in floats", "[0,132]", "[0.0,132.0]"),
    ] {
        check(
            name,
            &Parts::with(from, to).bytes(),
            "weights_header_form",
            "",
        );
    }
}

#[test]
fn lies_about_lengths_are_found_before_anything_is_read() {
    let Parts { header, data } = Parts::sound();
    // Blanks may follow the last brace.
    let closed = header.trim_end().len() as u64;
    let (header, len) = (header.as_bytes(), header.len() as u64);
    let whole = len + data.len() as u64;
    for (name, length, code) in [
        ("a header as long as the rest", whole, "weights_header_form"),
        (
            "a byte longer than the file",
            whole + 1,
            "weights_truncated",
        ),
        ("no header", 0, "weights_header_form"),
        ("its last brace missing", closed - 1, "weights_header_form"),
        (
            "the longest there may be",
            HEADER_BYTES_MAX,
            "weights_truncated",
        ),
        (
            "a byte longer",
            HEADER_BYTES_MAX + 1,
            "weights_header_too_long",
        ),
        ("all numbers", u64::MAX, "weights_header_too_long"),
    ] {
        check(name, &file(length, header, &data), code, "");
    }
    let trailing = [&data[..], &[0]].concat();
    for (name, data) in [
        ("a byte behind the tensors", &trailing[..]),
        ("a byte missing", &data[1..]),
        ("no bytes", &[]),
    ] {
        check(name, &file(len, header, data), "weights_data_size", "");
    }
}

#[test]
fn lies_about_names_and_kinds_have_their_code_and_place() {
    let bias = "layers.0.bias";
    let twice = format!("{},", BIAS.replace("bias", "bi\\u0061s"));
    let empty = r#""x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    let above = r#""shape":[4294967296,4294967296,33]"#;
    for (name, parts, code, place) in [
        (
            "a name twice, once escaped",
            Parts::with(BIAS, &format!("{twice}{BIAS}")),
            "weights_duplicate_key",
            bias,
        ),
        (
            "no value at all",
            Parts::before(empty),
            "tensor_unknown",
            "x",
        ),
        (
            "a name of nothing",
            Parts::before(&empty.replacen('x', "", 1)),
            "tensor_unknown",
            "",
        ),
        (
            "an empty tensor in a known place",
            Parts::with("[33]", "[33,0]"),
            "tensor_shape",
            bias,
        ),
        (
            "a product that overflows",
            Parts::with(r#""shape":[33]"#, above),
            "tensor_shape",
            bias,
        ),
        ("halves", Parts::with("F32", "F16"), "tensor_dtype", bias),
        (
            "other halves",
            Parts::with("F32", "BF16"),
            "tensor_dtype",
            bias,
        ),
        ("doubles", Parts::with("F32", "F64"), "tensor_dtype", bias),
        ("integers", Parts::with("F32", "I32"), "tensor_dtype", bias),
        (
            "small letters",
            Parts::with("F32", "f32"),
            "tensor_dtype",
            bias,
        ),
    ] {
        // A tensor without a name is told by the file and a slash.
        if name == "a name of nothing" {
            let outcome = outcome(&parts.bytes());
            assert!(
                matches!(&outcome, Outcome::Invalid { code: c, place: p }
                    if c.as_str() == code && p.as_str() == "model.safetensors/"),
                "{outcome:?}"
            );
            continue;
        }
        check(name, &parts.bytes(), code, place);
    }
    let none = Parts {
        header: "{}".to_owned(),
        data: Vec::new(),
    };
    check("no tensors", &none.bytes(), "tensor_missing", bias);

    // What would move somebody's cursor or hide a text is not attested as it is.
    let odd = empty.replacen('x', "\\u202e\\u001b[2J", 1);
    let Outcome::Invalid { place, .. } = outcome(&Parts::before(&odd).bytes()) else {
        panic!("an odd name was scored");
    };
    assert_eq!(place.as_str(), "model.safetensors/\u{fffd}\u{fffd}[2J");
}

#[test]
fn what_is_no_header_is_refused() {
    let deep = "[".repeat(200_000);
    let nested = format!(r#""__metadata__":{{"a":{}"#, "{\"a\":".repeat(100_000));
    for (name, parts) in [
        ("a negative size", Parts::with("[33]", "[-33]")),
        ("a size in floats", Parts::with("[33]", "[33.0]")),
        ("a size with a power", Parts::with("[33]", "[3.3e1]")),
        ("a size beyond all", Parts::with("[33]", "[1e400]")),
        (
            "a size of 2^64",
            Parts::with("[33]", "[18446744073709551616]"),
        ),
        ("a size as text", Parts::with("[33]", r#"["33"]"#)),
        ("lists without end", Parts::with("[33]", &deep)),
        ("objects without end", Parts::before(&nested)),
        (
            "metadata that is no text",
            Parts::before(r#""__metadata__":{"a":1}"#),
        ),
        (
            "metadata that is a list",
            Parts::before(r#""__metadata__":[]"#),
        ),
        ("half a letter", Parts::before(r#""\ud800":{}"#)),
        ("a comment", Parts::with("{", "{/**/")),
        ("a second object", Parts::with("}}", "}}{}")),
        ("blanks before it", Parts::with("{", " {")),
    ] {
        check(name, &parts.bytes(), "weights_header_form", "");
    }
    let Parts { header, data } = Parts::sound();
    let at = header.find("bias").expect("a name");
    for (name, bad) in [
        ("a byte that is no UTF-8", &b"\xff"[..]),
        ("half of a letter", b"\xc3"),
        ("a letter that is too long", b"\xc0\xae"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("a byte of nothing", b"\0"),
    ] {
        let (before, after) = header.as_bytes().split_at(at);
        let header = [before, bad, after].concat();
        let bytes = file(header.len() as u64, &header, &data);
        check(name, &bytes, "weights_header_form", "");
    }
}

#[test]
fn a_weight_that_is_no_number_is_named_and_any_number_is_scored() {
    let with = |bits: u32| {
        let mut parts = Parts::sound();
        let second = 132 + 4..132 + 8;
        parts.data[second].copy_from_slice(&bits.to_le_bytes());
        parts.bytes()
    };
    for (name, bits) in [
        ("a quiet NaN", 0x7fc0_0000),
        ("a signalling NaN", 0x7f80_0001),
        ("a NaN with a sign and a payload", 0xffff_ffff),
        ("an infinity", 0x7f80_0000),
        ("the other", 0xff80_0000),
    ] {
        check(name, &with(bits), "weight_not_finite", "layers.0.weight/1");
    }
    for (name, bits) in [
        ("nothing, negative", 0x8000_0000),
        ("the smallest", 1),
        ("the largest subnormal", 0x007f_ffff),
    ] {
        check_scored(name, &with(bits));
    }
}

#[test]
fn what_is_odd_and_true_is_scored_up_to_the_last_byte_of_a_header() {
    let metadata = |content: &str| Parts::before(&format!(r#""__metadata__":{content}"#));
    let full = |parts: Parts| parts.padded(HEADER_BYTES_MAX).bytes();
    let text = "x".repeat(1_000_000);
    let many: Vec<String> = (0..80_000).map(|key| format!(r#""{key:x}":"""#)).collect();
    let many = format!("{{{}}}", many.join(","));
    for (name, parts) in [
        ("blanks", Parts::sound()),
        ("no metadata", metadata("{}")),
        (
            "one very long text",
            metadata(&format!(r#"{{"a":"{text}"}}"#)),
        ),
        ("very many keys", metadata(&many)),
    ] {
        check_scored(name, &full(parts));
    }
    // A byte more, in a file that is no longer than it may be.
    let mut longer = metadata(&many).padded(HEADER_BYTES_MAX + 1);
    longer.data.pop();
    let longer = longer.bytes();
    check("a byte more", &longer, "weights_header_too_long", "");
    // With the longest header the file is as long as it may be.
    let mut trailing = full(Parts::sound());
    trailing.push(0);
    check("a byte behind all", &trailing, "weights_too_long", "");
}
