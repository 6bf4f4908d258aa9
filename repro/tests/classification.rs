//! `ops.txt` tells the truth: about our code, and about burn's traits where their source can be found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

type Table = BTreeMap<String, BTreeMap<String, String>>;

/// Our file of each trait, and burn's.
const TRAITS: [(&str, &str, &str); 8] = [
    ("FloatTensorOps", "float.rs", "backend/ops/tensor.rs"),
    ("IntTensorOps", "int.rs", "backend/ops/int_tensor.rs"),
    (
        "BoolTensorOps",
        "bool_tensor.rs",
        "backend/ops/bool_tensor.rs",
    ),
    ("ModuleOps", "module/mod.rs", "backend/ops/modules/base.rs"),
    (
        "ActivationOps",
        "activation.rs",
        "backend/ops/activation.rs",
    ),
    ("QTensorOps", "quantized.rs", "backend/ops/qtensor.rs"),
    ("TransactionOps", "mod.rs", "backend/ops/transaction.rs"),
    ("Backend", "mod.rs", "backend/base.rs"),
];

fn table() -> Table {
    let mut table = Table::new();
    let mut section = String::new();
    for line in include_str!("../ops.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name.to_string();
            continue;
        }
        let (method, class) = line.split_once(' ').expect("a method and its class");
        let rows = table.entry(section.clone()).or_default();
        let before = rows.insert(method.to_string(), class.to_string());
        assert!(before.is_none(), "{method} is classified twice");
    }
    table
}

/// The text between the braces that follow `head`, without comments.
fn body(source: &str, head: &str) -> String {
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let source: String = lines.flat_map(|line| [line, "\n"]).collect();
    // `Backend` is not to be found in `BackendTypes`.
    let start = source
        .match_indices(head)
        .map(|(at, _)| at)
        .find(|at| !source[at + head.len()..].starts_with(char::is_alphanumeric))
        .unwrap_or_else(|| panic!("`{head}` is not there"));
    let open = start + source[start..].find("{\n").expect("a body");
    let mut depth = 0;
    for (at, character) in source[open..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return source[open + 1..open + at].to_string();
        }
    }
    panic!("`{head}` is not closed");
}

/// Name and text of each method directly in a trait's or an implementation's body.
fn methods(body: &str) -> BTreeMap<String, String> {
    let mut starts = Vec::new();
    let (mut depth, bytes) = (0, body.as_bytes());
    for (at, character) in body.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            'f' if depth == 0
                && body[at..].starts_with("fn ")
                && (at == 0 || bytes[at - 1].is_ascii_whitespace()) =>
            {
                starts.push(at);
            }
            _ => {}
        }
    }
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let text = &body[start..end];
            let name: String = text[3..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (name, text.to_string())
        })
        .collect()
}

#[test]
fn every_method_does_what_the_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend");
    let table = table();
    for (name, file, _) in TRAITS {
        let source = fs::read_to_string(folder.join(file)).expect("our own source");
        let ours = match source.contains(&format!("impl {name}<Repro> for Repro {{}}")) {
            true => BTreeMap::new(),
            false if name == "Backend" => methods(&body(&source, "impl Backend for Repro {")),
            false => methods(&body(&source, &format!("impl {name}<Repro> for Repro {{"))),
        };
        for method in ours.keys() {
            assert!(
                table[name].contains_key(method),
                "{name}::{method} is not in the table"
            );
        }
        for (method, class) in &table[name] {
            let text = ours.get(method);
            let refuses = text.is_some_and(|text| text.contains(&format!("refuse(\"{method}")));
            // A delegate does nothing but call burn-flex's method of the same name.
            let delegates = text.is_some_and(|text| {
                let inside = text
                    .split_once(" {\n")
                    .map_or("", |(_, inside)| inside.trim_start());
                inside.starts_with(&format!("Flex::{method}("))
            });
            let found = match (text, refuses, delegates) {
                (None, ..) => "default",
                (_, true, _) => "refuse",
                (_, _, true) => "delegate",
                _ => "own",
            };
            assert_eq!(found, class, "{name}::{method}");
        }
    }
}

#[test]
fn the_table_knows_every_method_of_burns_traits() {
    let Some(folder) = burn_backend_source() else {
        println!("skipped: comparison with burn-backend's source (it could not be located)");
        return;
    };
    let table = table();
    for (name, _, file) in TRAITS {
        let source =
            fs::read_to_string(folder.join("src").join(file)).expect("burn-backend's source");
        let theirs: Vec<String> = methods(&body(&source, &format!("pub trait {name}")))
            .into_keys()
            .collect();
        let ours: Vec<String> = table[name].keys().cloned().collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn the_table_has_as_many_methods_as_burn_0_21_0() {
    let counts: Vec<usize> = TRAITS
        .iter()
        .map(|(name, ..)| table()[*name].len())
        .collect();
    assert_eq!(counts, [124, 104, 39, 56, 14, 80, 1, 10]);
}

/// Where Cargo keeps the source of the burn-backend that this build uses.
fn burn_backend_source() -> Option<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--manifest-path",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    assert!(
        text.contains(r#""name":"burn-backend","version":"0.21.0""#),
        "burn is another version: the table has to be looked at again"
    );
    let end = text.find("burn-backend-0.21.0/Cargo.toml")?;
    let start = text[..end].rfind('"')? + 1;
    Some(Path::new(&text[start..end]).join("burn-backend-0.21.0"))
}
