use super::*;
use crate::csv_text::check_size;
use crate::manifest::DATA_BYTES_MAX;
use ndarray::array;
use proptest::prelude::*;

fn spec() -> CsvSpec {
    CsvSpec {
        header: false,
        label_column: 2,
        inputs: 2,
        labels: LabelKind::Classes(3),
        divide_inputs_by: 1,
    }
}

fn check(text: &str, spec: CsvSpec, inputs: Array2<f32>, labels: &[u32]) {
    let table = read_csv(text.as_bytes(), &spec).expect("a valid file");
    assert_eq!(table.labels.classes(), Some(labels), "{text:?}");
    let bits = |inputs: &Array2<f32>| inputs.map(|value| value.to_bits());
    assert_eq!(bits(&table.inputs), bits(&inputs), "{text:?}");
}

#[test]
fn rows_become_inputs_and_labels() {
    let header = CsvSpec {
        header: true,
        ..spec()
    };
    let first = CsvSpec {
        label_column: 0,
        ..spec()
    };
    let middle = CsvSpec {
        label_column: 1,
        ..spec()
    };
    let both = array![[1.0, 2.0], [3.0, 4.5]];
    check("1,2,0\n3,4.5,2\n", spec(), both.clone(), &[0, 2]);
    check("1,2,0\n3,4.5,2", spec(), both.clone(), &[0, 2]);
    check("1,2,0\r\n3,4.5,2\r\n", spec(), both.clone(), &[0, 2]);
    check("0,1,2\n2,3,4.5\n", first, both.clone(), &[0, 2]);
    check("1,0,2\n3,2,4.5\n", middle, both.clone(), &[0, 2]);
    check("x,y,class\n1,2,0\n3,4.5,2\n", header, both.clone(), &[0, 2]);
    check(
        "\"x, in cm\",\"the \"\"y\"\"\",\n1,2,0\n3,4.5,2\n",
        header,
        both,
        &[0, 2],
    );
}

#[test]
fn numbers_are_rounded_once_and_divided_once() {
    let one = CsvSpec {
        inputs: 1,
        label_column: 1,
        ..spec()
    };
    for (text, divisor, bits) in [
        ("0", 1, 0),
        ("-0", 1, 0x8000_0000),
        ("16", 16, 1f32.to_bits()),
        ("13", 16, 0.8125f32.to_bits()),
        ("1", 3, 0x3eaa_aaab),
        ("255", 255, 1f32.to_bits()),
        ("1e-3", 1, 0.001f32.to_bits()),
        ("1.000000000000000000e+00", 1, 1f32.to_bits()),
        ("1E2", 1, 100f32.to_bits()),
        // Halfway between two neighbours plus a trace: a rounding to binary64
        // first would lose the trace and then round to the even one below.
        ("1.00000005960464477539062500000000001", 1, 0x3f80_0001),
        ("1.000000059604644775390625", 1, 0x3f80_0000),
        ("16777217", 1, 16_777_216f32.to_bits()),
        // The largest number, the smallest, and what is below half of it.
        ("3.4028235e38", 1, f32::MAX.to_bits()),
        ("1e-45", 1, 1),
        ("1e-46", 1, 0),
        ("1e-999999999", 1, 0),
        ("-1e-999999999", 1, 0x8000_0000),
    ] {
        let spec = CsvSpec {
            divide_inputs_by: divisor,
            ..one
        };
        let table = read_csv(format!("{text},0\n").as_bytes(), &spec).expect(text);
        assert_eq!(table.inputs[[0, 0]].to_bits(), bits, "{text} / {divisor}");
    }
}

#[test]
fn what_is_not_plainly_a_number_is_refused_with_its_place() {
    for cell in [
        "", " ", " 1", "1 ", "+1", "--1", "01", "-01", "00", "1.", ".5", "-.5", "-", ".", "1..2",
        "1.2.3", "0x10", "1f", "1_000", "1'000", "1 000", "1;5", "1e", "1e+", "1e1.5", "e1",
        "1ee1", "nan", "NaN", "inf", "-inf", "Infinity", "null", "true", "1%", "\"1\"", "\"1",
        "１", "١", "−1", "1\u{a0}", "1/2",
    ] {
        let text = format!("1,2,0\n3,{cell},1\n");
        let error = read_csv(text.as_bytes(), &spec()).expect_err(cell);
        assert_eq!(
            error,
            CsvError::Number {
                line: 2,
                column: 2,
                value: cell.into()
            }
        );
        assert_eq!(error.code(), "csv_number");
    }
    for cell in ["1e39", "-3.5e38", "3.4028236e38", "1e99999999999999999999"] {
        let error = read_csv(format!("{cell},2,0\n").as_bytes(), &spec()).expect_err(cell);
        assert_eq!(error.code(), "csv_infinite", "{cell}");
    }
    for cell in [
        "",
        "3",
        "-0",
        "+1",
        "01",
        "1.0",
        "1e0",
        "a",
        "99999999999",
        " 1",
        "٣",
    ] {
        let text = format!("1,2,0\n1,2,{cell}\n");
        let error = read_csv(text.as_bytes(), &spec()).expect_err(cell);
        let value = cell.into();
        assert_eq!(
            error,
            CsvError::Label {
                line: 2,
                column: 3,
                value,
                label_max: 2
            }
        );
    }
}

#[test]
fn hostile_files_are_refused_by_name() {
    let header = CsvSpec {
        header: true,
        ..spec()
    };
    let cut = &b"1,2,0\n3,4"[..];
    let wide = "1,".repeat(1_000_000) + "0\n";
    let commas = ",".repeat(300);
    let long_cell = format!("{},2,0\n", "1".repeat(200));
    let long_name = format!("{},y,z\n1,2,0\n", "x".repeat(10_000));
    for (bytes, spec, code) in [
        (&b""[..], spec(), "csv_no_rows"),
        (b"", header, "csv_no_rows"),
        (b"x,y,z\n", header, "csv_no_rows"),
        (b"\n", spec(), "csv_empty_line"),
        (b"1,2,0\n\n3,4,1\n", spec(), "csv_empty_line"),
        (b"1,2,0\n\n", spec(), "csv_empty_line"),
        (b"1,2,0\r\n\r\n", spec(), "csv_empty_line"),
        (b"\xef\xbb\xbf1,2,0\n", spec(), "csv_byte_order_mark"),
        (b"\xff\xfe1\0,\x002\0", spec(), "csv_utf8"),
        (b"1,2,0\n1,\xff,0\n", spec(), "csv_utf8"),
        (b"1,2,0\n1,\xe2\x82", spec(), "csv_utf8"),
        (b"1,2,0\r3,4,1\r", spec(), "csv_control_character"),
        (b"1,2,0\0\n", spec(), "csv_control_character"),
        (b"1\t2\t0\n", spec(), "csv_control_character"),
        (b"x\x1b[2J,y,z\n1,2,0\n", header, "csv_control_character"),
        (cut, spec(), "csv_width"),
        (b"1,2,0\n1,2,0,\n", spec(), "csv_width"),
        (b"1;2;0\n", spec(), "csv_width"),
        (b"x,y\n1,2,0\n", header, "csv_width"),
        (b"\"x,y,z\n1,2,0\n", header, "csv_quote"),
        (b"x,y,\"z\n1,2,0\n", header, "csv_quote"),
        (b"x,y,\"z\"\"\n1,2,0\n", header, "csv_quote"),
        (b"1,2,0\n1,2,0\r", spec(), "csv_control_character"),
        (b"\"1\",2,0\n", spec(), "csv_number"),
        (b"1,2,0\n\"1,2,0\n3,4,1\n", spec(), "csv_number"),
        (commas.as_bytes(), spec(), "csv_width"),
        (wide.as_bytes(), spec(), "csv_line_too_long"),
        (long_cell.as_bytes(), spec(), "csv_cell_too_long"),
        (long_name.as_bytes(), header, "csv_line_too_long"),
    ] {
        let error = read_csv(bytes, &spec).expect_err(code);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert_eq!(error.code(), code, "{shown:?}: {error}");
        assert!(error.to_string().len() < 200, "{error}");
    }
}

#[test]
fn rows_and_bytes_are_bounded_before_anything_is_kept() {
    let spec = CsvSpec {
        inputs: 1 << 20,
        ..spec()
    };
    let text = "1\n".repeat(1000);
    let error = CsvText::read(text.as_bytes(), &spec).expect_err("above the limit");
    assert_eq!(
        error,
        CsvError::TooManyRows {
            line: 257,
            limit: 256
        }
    );
    assert_eq!(check_size(DATA_BYTES_MAX), Ok(()));
    let error = check_size(DATA_BYTES_MAX + 1).expect_err("a byte above the limit");
    assert!(error.to_string().contains("1073741824"), "{error}");
}

#[test]
fn a_million_columns_are_read_where_a_million_are_described() {
    let spec = CsvSpec {
        inputs: 1_000_000,
        label_column: 1_000_000,
        ..spec()
    };
    let table = read_csv(("1,".repeat(1_000_000) + "2\n").as_bytes(), &spec).expect("as described");
    assert_eq!(
        (table.inputs.dim(), table.labels),
        ((1, 1_000_000), Labels::Classes(vec![2]))
    );
}

#[test]
fn a_selection_keeps_inputs_and_labels_together() {
    let table = read_csv(b"1,2,0\n3,4,1\n5,6,2\n", &spec()).expect("a valid file");
    let some = table.select(&[2, 0]);
    assert_eq!(some.inputs, array![[5.0, 6.0], [1.0, 2.0]]);
    assert!(table.inputs.is_standard_layout() && some.inputs.is_standard_layout());
    assert_eq!((some.rows(), some.labels), (2, Labels::Classes(vec![2, 0])));
    assert_eq!(table.select(&[]).inputs.dim(), (0, 2));
}

#[test]
fn lines_are_kept_exactly_as_they_are() {
    let header = CsvSpec {
        header: true,
        ..spec()
    };
    let text = CsvText::read(b"x,\"y, z\",c\r\n1.50,2e0,0\r\n-0,4,1", &header).expect("lines");
    assert_eq!(text.header(), Some("x,\"y, z\",c"));
    assert_eq!(text.rows(), ["1.50,2e0,0", "-0,4,1"]);
    assert_eq!(text.select(&[1]).to_bytes(), b"x,\"y, z\",c\n-0,4,1\n");
}

/// Bytes that are nearly a CSV file.
fn nearly_csv() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof![
        8 => "-?[0-9]{1,3}(\\.[0-9]{1,3})?",
        1 => "[-+0-9.eEnaif\"]{0,8}",
    ];
    let row = (prop::collection::vec(cell, 3), 0..4u32)
        .prop_map(|(cells, label)| format!("{},{},{label}", cells[0], cells[1]));
    let file = prop::collection::vec(row, 0..6).prop_map(|rows| rows.join("\n").into_bytes());
    (
        file,
        prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
    )
        .prop_map(|(mut file, edits)| {
            for (place, byte) in edits {
                if !file.is_empty() {
                    let place = place % file.len();
                    file[place] = byte;
                }
            }
            file
        })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, nearly in nearly_csv(), header: bool) {
        let spec = CsvSpec { header, ..spec() };
        for bytes in [bytes, nearly] {
            if let Ok(table) = read_csv(&bytes, &spec) {
                prop_assert_eq!(table.inputs.dim(), (table.rows(), 2));
                prop_assert!(table.inputs.iter().all(|value| value.is_finite()));
                prop_assert!(table.labels.classes().expect("classes").iter().all(|&label| label < 3));
                // Written back, the lines give the same numbers.
                let text = CsvText::read(&bytes, &spec).expect("the table was read from it");
                let again = read_csv(&text.to_bytes(), &spec).expect("the same lines");
                prop_assert_eq!(again, table);
            }
        }
    }

    #[test]
    fn every_finite_number_reads_back_from_its_shortest_text(bits: u32) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let table = read_csv(format!("{value},{value:e},1\n").as_bytes(), &spec());
        let table = table.expect("plain numbers");
        prop_assert_eq!(table.inputs[[0, 0]].to_bits(), bits);
        prop_assert_eq!(table.inputs[[0, 1]].to_bits(), bits);
    }

    #[test]
    fn a_selection_of_lines_is_the_selection_of_rows(
        rows in prop::collection::vec((any::<i16>(), any::<u16>(), 0..3u32), 1..20),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let lines: Vec<String> = rows.iter().map(|(a, b, c)| format!("{a},{b},{c}\n")).collect();
        let bytes = lines.concat().into_bytes();
        let picks: Vec<usize> = picks.iter().map(|pick| pick.index(rows.len())).collect();
        let text = CsvText::read(&bytes, &spec()).expect("lines").select(&picks);
        let table = read_csv(&bytes, &spec()).expect("a valid file").select(&picks);
        prop_assert_eq!(read_csv(&text.to_bytes(), &spec()).expect("a valid file"), table);
    }
}

#[test]
fn labels_that_are_numbers_are_rounded_once_and_not_divided() {
    let spec = CsvSpec {
        labels: LabelKind::Numbers,
        divide_inputs_by: 2,
        ..spec()
    };
    let text = b"1,2,452600.0\n3,4,-0.1\n5,6,3.4028234663852886e38\n7,8,9007199254740993\n";
    let table = read_csv(text, &spec).expect("a valid file");
    // A tenth is the nearest binary64; 2^53 + 1 lies between two and goes to the even one.
    let numbers = [
        452_600.0,
        -0.1,
        f64::from(f32::MAX),
        9_007_199_254_740_992.0,
    ];
    assert_eq!(table.labels.numbers(), Some(&numbers[..]));
    assert_eq!(table.labels.classes(), None);
    assert_eq!(table.inputs[[0, 0]], 0.5);
    assert_eq!(table.select(&[1]).labels, Labels::Numbers(vec![-0.1]));
    for (cell, code) in [
        ("", "csv_number"),
        ("NaN", "csv_number"),
        ("inf", "csv_number"),
        ("1.", "csv_number"),
        ("0x1", "csv_number"),
        ("3.4028236e38", "csv_infinite"),
        ("1e400", "csv_infinite"),
    ] {
        let text = format!("1,2,{cell}\n");
        let error = read_csv(text.as_bytes(), &spec).expect_err(cell);
        assert_eq!(error.code(), code, "{cell}: {error}");
    }
}
