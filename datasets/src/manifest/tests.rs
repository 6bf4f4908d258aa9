use super::*;
use proptest::prelude::*;

pub(crate) const GOOD: &str = r#"{
  "version": 1,
  "name": "Three rows",
  "attribution": "Made for a test",
  "license": [
    {
      "name": "License",
      "value": "dE0rmDfl9_OWjkDznNEXHaSO_JohJkRolvMzaCroUdw"
    }
  ],
  "format": {
    "csv": {
      "header": false,
      "label_column": 2,
      "inputs": 2,
      "labels": {
        "classes": 3
      },
      "divide_inputs_by": 16
    }
  },
  "rows": 3,
  "files": [
    {
      "path": "data.csv",
      "size_bytes": 18,
      "blake3": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    }
  ]
}
"#;

#[test]
fn a_manifest_reads_back_byte_for_byte() {
    let manifest = Manifest::from_json(GOOD.as_bytes()).expect("a valid manifest");
    assert_eq!(String::from_utf8(manifest.to_json()).expect("UTF-8"), GOOD);
    assert_eq!(
        (manifest.rows, manifest.inputs(), manifest.labels()),
        (3, 2, LabelKind::Classes(3))
    );
}

#[test]
fn a_manifest_that_says_what_cannot_be_is_refused() {
    let file = r#""path": "data.csv""#;
    let digest = r#""blake3": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#;
    let path = |path: &str| format!(r#""path": {path:?}"#);
    let another = |path: &str| format!(r#"}}, {{"path": "{path}", "size_bytes": 1, {digest}"#);
    let second = |path: &str| format!("{digest}{}", another(path));
    let many = digest.to_owned()
        + &(0..1024)
            .map(|i| another(&i.to_string()))
            .collect::<String>();
    let deep = "[".repeat(100_000);
    let piece = |from: &str, to: &str| {
        let (_, rest) = GOOD.split_once(from).expect("it begins");
        let (inner, _) = rest.split_once(to).expect("it ends");
        format!("{from}{inner}{to}")
    };
    let csv: &str = &piece("\"csv\": {", "16\n    }");
    let entry: &str = &piece("{\n      \"path\"", "}");
    for (from, to, code) in [
        (r#""version": 1"#, r#""version": 2"#, "manifest_version"),
        (
            r#""version": 1"#,
            r#""version": 1, "version": 1"#,
            "manifest_json",
        ),
        (r#""rows": 3"#, r#""rows": 3, "rows": 4"#, "manifest_json"),
        (r#""rows": 3"#, r#""rows": 3, "extra": 4"#, "manifest_json"),
        (r#""rows": 3"#, r#""rows": 3.0"#, "manifest_json"),
        (r#""rows": 3"#, r#""rows": -3"#, "manifest_json"),
        (r#""rows": 3"#, r#""rows": 0"#, "manifest_field"),
        (
            r#""rows": 3"#,
            r#""rows": 18446744073709551615"#,
            "manifest_field",
        ),
        (
            r#""rows": 3"#,
            &format!(r#""rows": {deep}"#),
            "manifest_json",
        ),
        (r#""inputs": 2"#, r#""inputs": 0"#, "manifest_field"),
        (
            r#""inputs": 2"#,
            r#""inputs": 4294967295"#,
            "manifest_field",
        ),
        (r#""classes": 3"#, r#""classes": 1"#, "manifest_field"),
        (r#""classes": 3"#, r#""classes": 1048577"#, "manifest_field"),
        (
            r#""label_column": 2"#,
            r#""label_column": 3"#,
            "manifest_field",
        ),
        (
            r#""divide_inputs_by": 16"#,
            r#""divide_inputs_by": 0"#,
            "manifest_field",
        ),
        (
            r#""divide_inputs_by": 16"#,
            r#""divide_inputs_by": 16777217"#,
            "manifest_field",
        ),
        (
            r#""divide_inputs_by": 16"#,
            r#""divide_inputs_by": 0.5"#,
            "manifest_json",
        ),
        (r#""csv""#, r#""parquet""#, "manifest_json"),
        (
            csv,
            r#""csv": [false, 2, 2, {"classes": 3}, 16]"#,
            "manifest_json",
        ),
        (
            entry,
            &format!(r#"["data.csv", 18, "{}"]"#, "A".repeat(43)),
            "manifest_json",
        ),
        (
            r#""header": false"#,
            r#""header": false, "header": true"#,
            "manifest_json",
        ),
        (r#""name": "Three rows""#, r#""name": """#, "manifest_json"),
        (
            r#""name": "Three rows""#,
            r#""name": "a\u001bb""#,
            "manifest_json",
        ),
        (
            r#""size_bytes": 18"#,
            r#""size_bytes": 1073741825"#,
            "data_too_large",
        ),
        (
            r#""size_bytes": 18"#,
            r#""size_bytes": 18446744073709551615"#,
            "data_too_large",
        ),
        (digest, r#""blake3": "x""#, "manifest_json"),
        (digest, &second("DATA.csv.old"), "ok"),
        (digest, &second("data.csv"), "listed_twice"),
        (digest, &many, "manifest_field"),
        (digest, &second("DATA.csv"), "paths_conflict"),
        (digest, &second("data.csv/part"), "paths_conflict"),
        (file, &path("dataset.json"), "listed_twice"),
        (file, &path("Dataset.JSON"), "paths_conflict"),
        (file, &path("dataset.json/part"), "paths_conflict"),
        (file, &path(""), "unsafe_path"),
        (file, &path("/etc/passwd"), "unsafe_path"),
        (file, &path("../data.csv"), "unsafe_path"),
        (file, &path("a/../../data.csv"), "unsafe_path"),
        (file, &path("./data.csv"), "unsafe_path"),
        (file, &path("a//data.csv"), "unsafe_path"),
        (file, &path("C:data.csv"), "unsafe_path"),
        (file, &path("a\\data.csv"), "unsafe_path"),
        (file, &path("nul"), "unsafe_path"),
        (file, &path(&"a/".repeat(100_000)), "unsafe_path"),
        (file, &path("part/a/data.csv"), "ok"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let outcome = Manifest::from_json(text.as_bytes());
        let found = outcome.as_ref().map_or_else(|error| error.code(), |_| "ok");
        assert_eq!(found, code, "{to:.60}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}

#[test]
fn a_manifest_above_its_size_limit_is_not_parsed() {
    let padded = GOOD.to_owned() + &" ".repeat(MANIFEST_BYTES_MAX);
    let error = Manifest::from_json(padded.as_bytes()).expect_err("too long");
    assert!(
        error.to_string().contains("the limit is 1048576"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_manifest_bytes_panic(
        bytes: Vec<u8>,
        edits in prop::collection::vec((0..GOOD.len(), any::<u8>()), 0..4),
        end in prop::option::weighted(0.2, 0..GOOD.len()),
    ) {
        let mut mutated = GOOD.as_bytes().to_vec();
        for (place, byte) in edits {
            mutated[place] = byte;
        }
        mutated.truncate(end.unwrap_or(GOOD.len()));
        for bytes in [bytes, mutated] {
            if let Ok(manifest) = Manifest::from_json(&bytes) {
                let again = Manifest::from_json(&manifest.to_json()).expect("a valid manifest");
                prop_assert_eq!(again, manifest);
            }
        }
    }
}
