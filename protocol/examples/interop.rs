//! One half of tests/interop/arbundles/run.sh: reads the items and the bundle
//! that the public package wrote into a folder, and writes ours beside them.
//!
//! ```text
//! cargo run -p protocol --example interop -- FOLDER
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use protocol::Digest;
use protocol::ans104::{Draft, Tag, VerifiedItem, bundle};
use sha2::{Digest as _, Sha256};

#[path = "../tests/vector/mod.rs"]
mod vector;

use vector::{Bundle, Case, File, pattern};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: interop FOLDER")?;
    let folder = Path::new(&folder);
    let flaws = read_theirs(folder)?;
    write_ours(folder)?;
    Ok(if flaws == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks everything and prints the count; gives the number of failures.
fn read_theirs(folder: &Path) -> Result<usize, Box<dyn Error>> {
    let file: File = serde_json::from_slice(&std::fs::read(folder.join("theirs.json"))?)?;
    let (mut passed, mut failed) = (0, 0);
    let mut check = |what: &str, result: Result<(), String>| match result {
        Ok(()) => passed += 1,
        Err(flaw) => {
            failed += 1;
            eprintln!("failed: {what}: {flaw}");
        }
    };
    for case in &file.items {
        check(&case.name, case.check().map(|_| ()));
    }
    for case in &file.loose {
        check(&case.name, case.check());
    }
    let bytes = std::fs::read(folder.join("theirs.bundle"))?;
    check("bundle", check_bundle(&file, &bytes));
    println!(
        "ours reads {}: {passed} passed, {failed} failed",
        file.made_by
    );
    Ok(failed)
}

fn check_bundle(file: &File, bytes: &[u8]) -> Result<(), String> {
    let items = bundle::decode(bytes).map_err(|error| error.to_string())?;
    let expected: Vec<_> = file.items.iter().map(|case| case.id).collect();
    let found: Vec<_> = items.iter().map(|item| item.id()).collect();
    if found != expected {
        return Err("other items".into());
    }
    if bundle::encode(&items) != bytes {
        return Err("encoding its items gives other bytes".into());
    }
    Ok(())
}

fn write_ours(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (items, signed) = ours()?;
    let bytes = bundle::encode(&signed);
    let file = File {
        made_by: "lode".into(),
        items,
        bundle: Bundle {
            size_bytes: bytes.len(),
            sha256: Digest(Sha256::digest(&bytes).into()),
        },
        loose: Vec::new(),
    };
    std::fs::write(folder.join("ours.bundle"), bytes)?;
    std::fs::write(folder.join("ours.json"), serde_json::to_vec_pretty(&file)?)?;
    Ok(())
}

/// Drafts of our own, other than those of the public package's side.
fn ours() -> Result<(Vec<Case>, Vec<VerifiedItem>), String> {
    let text = |len: usize| "é".repeat(len / 2) + &"x".repeat(len % 2);
    let shapes: [(&str, Vec<Tag>); 9] = [
        ("no tags", Vec::new()),
        (
            "a record",
            vec![Tag::new("App-Name", "Lode"), Tag::new("Type", "bounty")],
        ),
        (
            "a licence",
            vec![Tag::new(
                "License",
                "yRj4a5KMctX_uOmKWCFJIjmY8DeJcusVk6-HzLiM_t8",
            )],
        ),
        ("unicode", vec![Tag::new("Ключ 🗝", "ค่า\u{0}\n\u{fffd}")]),
        (
            "127 tags",
            (0..127).map(|i| Tag::new(format!("n{i}"), "v")).collect(),
        ),
        (
            "128 tags",
            (0..128).map(|i| Tag::new("same", format!("{i}"))).collect(),
        ),
        (
            "1024 and 3000 bytes",
            vec![Tag::new(text(1024), text(3000))],
        ),
        (
            "4096 bytes of tags",
            vec![Tag::new("n".repeat(1021), "v".repeat(3069))],
        ),
        ("127 and 129 bytes", vec![Tag::new(text(127), text(129)); 3]),
    ];
    let lengths = [0, 1, 47, 48, 127, 128, 3_000, 65_537, 100_000];
    let mut cases = Vec::new();
    let mut items = Vec::new();
    for (shape, tags) in shapes {
        for fields in 0..4u8 {
            let number = cases.len();
            let len = lengths[number % lengths.len()];
            let draft = Draft {
                target: (fields & 1 == 1).then_some([number as u8; 32]),
                anchor: (fields & 2 == 2).then_some([!number as u8; 32]),
                tags: tags.clone(),
                data: pattern(len),
            };
            let seed = Sha256::digest(format!("lode {}", number % 7)).into();
            let (case, item) = Case::of(format!("{shape}, {fields}, {len} bytes"), seed, draft)?;
            cases.push(case);
            items.push(item);
        }
    }
    Ok((cases, items))
}
