//! What the layout promises, checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The crates that a crate may use, as ARCHITECTURE.md has them.
fn arrows() -> BTreeMap<&'static str, &'static [&'static str]> {
    const SCORING: &[&str] = &["protocol", "datasets", "models", "repro"];
    const TRAINING: &[&str] = &["protocol", "datasets", "models", "repro", "evaluator"];
    BTreeMap::from([
        ("protocol", &[][..]),
        ("licensing", &["protocol"]),
        ("market", &["protocol", "licensing"]),
        ("opinion", &["protocol", "licensing"]),
        ("datasets", &["protocol"]),
        ("repro", &[]),
        ("sandbox", &[]),
        ("models", &[]),
        ("evaluator", SCORING),
        ("miner", TRAINING),
        ("client", &["protocol"]),
        ("wallet", &["protocol"]),
        ("node", &["protocol", "licensing", "market"]),
    ])
}

#[test]
fn arrows_between_crates_point_one_way() {
    let arrows = arrows();
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let mut members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    members.sort_unstable();
    assert_eq!(arrows.keys().copied().collect::<Vec<_>>(), members);
    for (name, allowed) in &arrows {
        let manifest = read(&format!("{name}/Cargo.toml"));
        let normal = manifest.split("[dev-dependencies]").next().unwrap();
        for other in arrows.keys().filter(|other| *other != name) {
            let uses = normal.lines().any(|line| {
                line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "))
            });
            assert!(
                !uses || allowed.contains(other),
                "{name} must not use {other}"
            );
        }
    }
}

#[test]
fn pages_keep_their_length() {
    assert!(read("ARCHITECTURE.md").lines().count() <= 200);
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let path = entry.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 60, "{}: {lines} lines", path.display());
    }
}

#[test]
fn links_in_the_pages_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = read(page);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if !link.starts_with("http") {
                assert!(root().join(link).exists(), "{page}: {link}");
            }
        }
    }
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of the checkout") {
        let path = entry.expect("an entry of it").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("a UTF-8 name");
        if path.is_dir() && !matches!(name, "target" | ".git" | "node_modules") {
            rust_files(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_test_is_ignored_and_unsafe_is_only_in_the_kernels() {
    let mut files = Vec::new();
    rust_files(root(), &mut files);
    assert!(files.len() > 100, "the walk found {} files", files.len());
    let ignored = concat!("#[", "ignore");
    let marked = concat!("unsafe", " ");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(ignored), "{}", path.display());
        let is_kernel = path.strip_prefix(root()).unwrap().starts_with("repro");
        assert!(is_kernel || !text.contains(marked), "{}", path.display());
    }
}

/// The macros of the standard library panic where stderr is a full disk: a daemon would end.
#[test]
fn a_daemon_says_nothing_that_could_end_it() {
    let mut files = Vec::new();
    for dir in ["src", "node/src", "client/src", "sandbox/src"] {
        rust_files(&root().join(dir), &mut files);
    }
    for file in files.into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let code = fs::read_to_string(&file).unwrap();
        let mut lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let found = lines.find(|line| line.contains("println!(") || line.contains("eprint!("));
        assert_eq!(found, None, "{}", file.display());
    }
}

#[test]
fn every_version_is_in_the_workspace_table() {
    for name in arrows().keys() {
        let manifest = read(&format!("{name}/Cargo.toml"));
        let sections = manifest.split("dependencies]\n").skip(1);
        let dependencies =
            sections.flat_map(|section| section.lines().take_while(|line| !line.starts_with('[')));
        for line in dependencies.filter(|line| line.contains(" = ")) {
            assert!(
                !line.contains("version =") && !line.contains("= \""),
                "{name}: '{line}' names a version of its own"
            );
        }
    }
}

/// The long examples are no part of the tests: what they pay has to stay what posting asks for.
#[test]
fn the_examples_pay_what_an_evaluation_costs() {
    let price = protocol::record::Parameters::default().evaluation_price;
    for (script, rows) in [("fashion", 10_000), ("housing", 4_128)] {
        let script = read(&format!("examples/{script}/run.sh"));
        let value = |name: &str| {
            let mut words = script.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let multiply_adds: u128 = value("multiply_adds_max").unwrap().parse().unwrap();
        // Of a development network, where a script names none.
        let fee = protocol::Amount::parse_lode(value("fee").unwrap_or("0.01")).unwrap();
        let counted = rows * multiply_adds * price.base_units();
        let least = counted.div_ceil(1_000_000_000) * 5;
        assert!(fee.base_units() >= least, "{fee} of {least}");
    }
}
