use super::*;
use crate::{LabelKind, Labels, Split, read_csv};
use protocol::ans104::Tag;
use protocol::text::{Name, Text};
use tempfile::TempDir;

const ROWS: &[u8] = b"1,2,0\n3,4,1\n5,6.50,2\n";

fn about() -> About {
    About {
        name: Name::new("Three rows").expect("a name"),
        attribution: Text::new("Made for a test").expect("a text"),
        license: vec![Tag::new("Derivation", "Allowed")],
    }
}

fn spec() -> CsvSpec {
    CsvSpec {
        header: false,
        label_column: 2,
        inputs: 2,
        labels: LabelKind::Classes(3),
        divide_inputs_by: 2,
    }
}

/// A valid folder with one file.
fn folder() -> (TempDir, Manifest) {
    let dir = TempDir::new().expect("a folder");
    let text = CsvText::read(ROWS, &spec()).expect("lines");
    let manifest = write_folder(dir.path(), &about(), &spec(), &text).expect("written");
    (dir, manifest)
}

#[test]
fn a_written_folder_verifies_and_loads() {
    let (dir, manifest) = folder();
    manifest.verify(dir.path()).expect("verifies");
    let (loaded, table) = load(dir.path()).expect("loads");
    assert_eq!(loaded, manifest);
    assert_eq!(table, read_csv(ROWS, &spec()).expect("a valid file"));
    assert_eq!(
        fs::read(dir.path().join(DATA_FILE)).expect("readable"),
        ROWS
    );
    assert_eq!(manifest.files[0].size_bytes, ROWS.len() as u64);
}

#[test]
fn the_same_rows_give_the_same_folder_bytes() {
    let (one, two) = (folder().0, folder().0);
    for file in [DATA_FILE, MANIFEST_FILE] {
        let read = |dir: &TempDir| fs::read(dir.path().join(file)).expect("readable");
        assert_eq!(read(&one), read(&two), "{file}");
    }
}

#[test]
fn describing_a_folder_lists_its_files_in_path_order() {
    let dir = TempDir::new().expect("a folder");
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("part/one")).expect("a folder");
    for (path, bytes) in [
        ("part/one/b.csv", &b"3,4,1\n"[..]),
        ("z.csv", b"5,6,2"),
        ("a.csv", ROWS),
    ] {
        fs::write(at(path), bytes).expect("written");
    }
    let manifest = Manifest::describe(dir.path(), &about(), &spec()).expect("described");
    let paths: Vec<_> = manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(paths, ["a.csv", "part/one/b.csv", "z.csv"]);
    manifest.write(dir.path()).expect("written");
    manifest.write(dir.path()).expect("written over the first");
    let (loaded, table) = load(dir.path()).expect("loads");
    assert_eq!(
        (loaded, table.labels),
        (manifest.clone(), Labels::Classes(vec![0, 1, 2, 1, 2]))
    );
    // Described again with its manifest in place, it is the same.
    let again = Manifest::describe(dir.path(), &about(), &spec()).expect("described");
    assert_eq!(again, manifest);
}

#[test]
fn a_changed_folder_is_refused_with_the_file_at_fault() {
    type Change = fn(&Path);
    let changes: &[(&str, &str, Change)] = &[
        ("file_missing", "data.csv", |dir| {
            fs::remove_file(dir.join(DATA_FILE)).expect("removed")
        }),
        ("file_size", "data.csv", |dir| {
            fs::write(dir.join(DATA_FILE), &ROWS[..ROWS.len() - 1]).expect("written");
        }),
        ("file_size", "data.csv", |dir| {
            fs::write(dir.join(DATA_FILE), [ROWS, b"\n"].concat()).expect("written");
        }),
        ("file_digest", "data.csv", |dir| {
            fs::write(dir.join(DATA_FILE), b"1,2,0\n3,4,1\n5,6.51,2\n").expect("written");
        }),
        ("file_unlisted", "notes.txt", |dir| {
            fs::write(dir.join("notes.txt"), "x").expect("ok")
        }),
        ("file_unlisted", "sub/.hidden", |dir| {
            fs::create_dir(dir.join("sub")).expect("a folder");
            fs::write(dir.join("sub/.hidden"), "x").expect("written");
        }),
        ("not_a_file", "data.csv", |dir| {
            fs::remove_file(dir.join(DATA_FILE)).expect("removed");
            fs::create_dir(dir.join(DATA_FILE)).expect("a folder");
        }),
        ("no_manifest", "dataset.json", |dir| {
            fs::remove_file(dir.join(MANIFEST_FILE)).expect("removed");
        }),
        ("manifest_json", "dataset.json", |dir| {
            fs::write(dir.join(MANIFEST_FILE), "{").expect("written");
        }),
    ];
    for (code, file, change) in changes {
        let (dir, _) = folder();
        change(dir.path());
        let error = load(dir.path()).expect_err(code);
        assert_eq!(error.code(), *code, "{error}");
        assert!(error.to_string().contains(file), "{error}");
        let verified = Manifest::load(dir.path()).and_then(|manifest| manifest.verify(dir.path()));
        assert_eq!(verified.expect_err(code).code(), *code);
    }
}

#[test]
fn names_that_are_one_file_on_some_disks_are_refused() {
    let (dir, mut manifest) = folder();
    let mut other = manifest.files[0].clone();
    other.path = "Data.CSV".into();
    fs::write(dir.path().join(&other.path), ROWS).expect("written");
    manifest.files.push(other);
    manifest.rows *= 2;
    fs::write(dir.path().join(MANIFEST_FILE), manifest.to_json()).expect("written");
    let error = load(dir.path()).expect_err("one name in two spellings");
    assert_eq!(error.code(), "paths_conflict", "{error}");
    let said = error.to_string();
    assert!(
        said.contains("data.csv") && said.contains("Data.CSV"),
        "{said}"
    );
}

#[test]
fn a_name_of_the_folder_is_the_listed_one_to_the_byte() {
    // A disk may open either by the other.
    let (dir, _) = folder();
    let (from, to) = (dir.path().join(DATA_FILE), dir.path().join("DATA.csv"));
    fs::rename(from, to).expect("renamed");
    let error = load(dir.path()).expect_err("another name");
    assert_eq!(error.code(), "file_unlisted", "{error}");
}

#[test]
fn a_listed_name_is_ascii() {
    // One name to read, and other bytes: on some disks they are one, on others two.
    for name in ["d\u{e4}ta.csv", "da\u{308}ta.csv"] {
        let (dir, mut manifest) = folder();
        manifest.files[0].path = name.into();
        assert_eq!(manifest.check().expect_err(name).code(), "unsafe_path");
        fs::write(dir.path().join(name), "").expect("written");
        assert_eq!(load(dir.path()).expect_err(name).code(), "unsafe_path");
    }
}

#[test]
fn a_file_of_more_rows_than_listed_is_refused_before_its_numbers_are_read() {
    let (dir, mut manifest) = folder();
    let rows = b"1,2,0\n3,4,1\n5,6,2\n7,8,nothing\n";
    fs::write(dir.path().join(DATA_FILE), rows).expect("written");
    manifest.files[0].size_bytes = rows.len() as u64;
    manifest.files[0].blake3 = BlobId(*blake3::hash(rows).as_bytes());
    let code = |manifest: &Manifest| {
        manifest.write(dir.path()).expect("written");
        load(dir.path()).expect_err("a fault").code()
    };
    assert_eq!(code(&manifest), "row_count");
    manifest.rows = 4;
    assert_eq!(code(&manifest), "csv_label");
}

#[test]
fn a_machine_without_memory_is_no_fault_of_a_file() {
    let error = idx_at("images.idx.gz")(IdxError::OutOfMemory);
    assert!(
        matches!(&error, DatasetError::Io { error, .. } if error.kind() == io::ErrorKind::OutOfMemory),
        "{error}"
    );
    let error = idx_at("images.idx.gz")(IdxError::Gzip("cut".into()));
    assert_eq!(error.code(), "idx_gzip");
}

#[test]
fn a_wrong_number_of_rows_is_refused() {
    for rows in [1, 2, 4] {
        let (dir, manifest) = folder();
        Manifest { rows, ..manifest }
            .write(dir.path())
            .expect("written");
        let error = load_table(dir.path()).expect_err("another number of rows");
        assert_eq!(error.code(), "row_count", "{error}");
    }
}

#[test]
fn a_bad_cell_is_named_with_its_file() {
    let dir = TempDir::new().expect("a folder");
    fs::write(dir.path().join("a.csv"), "1,2,0\n3,nan,1\n").expect("written");
    let error = Manifest::describe(dir.path(), &about(), &spec()).expect_err("a bad cell");
    assert_eq!(error.code(), "csv_number");
    assert!(
        error
            .to_string()
            .starts_with("'a.csv', line 2, column 2: \"nan\""),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_never_followed() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new().expect("a folder");
    fs::write(outside.path().join(DATA_FILE), ROWS).expect("written");
    // The file is a link to the very bytes that are listed.
    let (dir, _) = folder();
    fs::remove_file(dir.path().join(DATA_FILE)).expect("removed");
    symlink(outside.path().join(DATA_FILE), dir.path().join(DATA_FILE)).expect("linked");
    assert_eq!(load(dir.path()).expect_err("a link").code(), "not_a_file");
    let described = Manifest::describe(dir.path(), &about(), &spec());
    assert_eq!(described.expect_err("a link").code(), "not_a_file");
    // A folder on the way is a link.
    let (dir, mut manifest) = folder();
    fs::remove_file(dir.path().join(DATA_FILE)).expect("removed");
    symlink(outside.path(), dir.path().join("part")).expect("linked");
    manifest.files[0].path = "part/data.csv".into();
    manifest.write(dir.path()).expect("written");
    assert_eq!(
        load(dir.path()).expect_err("a link").code(),
        "file_unlisted"
    );
    let read = read_listed(dir.path(), &manifest.files[0]);
    assert_eq!(read.expect_err("a link").code(), "not_a_file");
    // The manifest is a link.
    let (dir, manifest) = folder();
    let place = dir.path().join(MANIFEST_FILE);
    fs::rename(&place, outside.path().join(MANIFEST_FILE)).expect("moved");
    symlink(outside.path().join(MANIFEST_FILE), &place).expect("linked");
    assert_eq!(load(dir.path()).expect_err("a link").code(), "not_a_file");
    assert_eq!(
        manifest.write(dir.path()).expect_err("a link").code(),
        "not_a_file"
    );
}

#[cfg(unix)]
#[test]
fn names_that_no_archive_carries_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    for name in [&b"a:b"[..], b"bad\xff"] {
        let (dir, _) = folder();
        let path = dir.path().join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, "x").expect("written");
        let error = load(dir.path()).expect_err("no name everywhere");
        assert_eq!(error.code(), "unsafe_path");
    }
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let parent = TempDir::new().expect("a folder");
    let dir = parent.path().join("new");
    let wrong = CsvSpec {
        labels: LabelKind::Classes(2),
        ..spec()
    };
    let text = CsvText::read(ROWS, &wrong).expect("lines");
    let error = write_folder(&dir, &about(), &wrong, &text).expect_err("a label above 1");
    assert_eq!(error.code(), "csv_label");
    assert!(!dir.exists());
    let zero = CsvSpec {
        divide_inputs_by: 0,
        ..spec()
    };
    assert_eq!(
        write_folder(&dir, &about(), &zero, &text)
            .expect_err("zero")
            .code(),
        "manifest_field"
    );
    let none = text.select(&[]);
    assert_eq!(
        write_folder(&dir, &about(), &spec(), &none)
            .expect_err("empty")
            .code(),
        "csv_no_rows"
    );
}

#[test]
fn a_folder_with_something_in_it_is_not_written_over() {
    let (dir, _) = folder();
    let text = CsvText::read(ROWS, &spec()).expect("lines");
    let error = write_folder(dir.path(), &about(), &spec(), &text).expect_err("not empty");
    assert_eq!(error.code(), "folder_not_empty");
}

#[test]
fn a_folder_with_very_many_entries_is_refused() {
    let (dir, _) = folder();
    fs::create_dir_all(dir.path().join("empty/below")).expect("a folder");
    assert_eq!(walk(dir.path(), 4).expect("four entries").len(), 1);
    let error = walk(dir.path(), 3).expect_err("one entry too many");
    assert_eq!(error.code(), "too_many_entries", "{error}");
}

#[test]
fn train_and_test_folders_hold_every_row_once() {
    let rows: String = (0..50)
        .map(|row| format!("{row},{row}.250,{}\n", row % 3))
        .collect();
    let text = CsvText::read(rows.as_bytes(), &spec()).expect("lines");
    let parent = TempDir::new().expect("a folder");
    for (name, split) in [
        ("nth", Split::EveryNth { n: 5, offset: 0 }),
        (
            "seeded",
            Split::Seeded {
                seed: [1; 32],
                test_per_million: 200_000,
            },
        ),
    ] {
        let parts = split.parts(text.rows().len()).expect("a proper split");
        let whole = read_csv(rows.as_bytes(), &spec()).expect("a valid file");
        for (part, indices) in [("train", &parts.train), ("test", &parts.test)] {
            let dir = parent.path().join(name).join(part);
            write_folder(&dir, &about(), &spec(), &text.select(indices)).expect("written");
            assert_eq!(load_table(&dir).expect("loads"), whole.select(indices));
        }
    }
}

/// The folder of shared data sets, or the reason for which a test is skipped.
fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("LODE_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let file = root.join(shared).join(path);
    if file.is_file() {
        return Some(file);
    }
    let required = std::env::var_os("LODE_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(
        !required,
        "LODE_REQUIRE_SHARED=1 and there is no {}",
        file.display()
    );
    eprintln!("skipped: there is no {}", file.display());
    None
}

#[test]
fn the_digits_are_read_split_and_written() {
    let Some(file) = shared("data/digits/digits.csv.gz") else {
        return;
    };
    let mut bytes = Vec::new();
    let packed = File::open(file).expect("readable");
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .expect("unpacks");
    let spec = CsvSpec {
        header: false,
        label_column: 64,
        inputs: 64,
        labels: LabelKind::Classes(10),
        divide_inputs_by: 16,
    };
    let text = CsvText::read(&bytes, &spec).expect("lines");
    let whole = read_csv(&bytes, &spec).expect("a valid file");
    assert_eq!(whole.inputs.dim(), (1797, 64));
    assert!(whole.inputs.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!((0..10).all(|class| whole.labels.classes().expect("classes").contains(&class)));
    let parts = Split::EveryNth { n: 5, offset: 0 }
        .parts(1797)
        .expect("a proper split");
    assert_eq!((parts.train.len(), parts.test.len()), (1437, 360));
    let dir = TempDir::new().expect("a folder");
    write_folder(dir.path(), &about(), &spec, &text.select(&parts.test)).expect("written");
    assert_eq!(
        load_table(dir.path()).expect("loads"),
        whole.select(&parts.test)
    );
}

/// Three images of 2 × 2, and their labels.
fn idx() -> (Vec<u8>, Vec<u8>) {
    let images = [
        &[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2][..],
        &[7; 12],
    ]
    .concat();
    (images, vec![0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1])
}

#[test]
fn a_folder_of_idx_files_verifies_and_loads() {
    let dir = TempDir::new().expect("a folder");
    let (images, labels) = idx();
    let manifest = write_idx_folder(dir.path(), &about(), 3, 7, &images, &labels).expect("written");
    manifest.verify(dir.path()).expect("verifies");
    let (loaded, table) = load(dir.path()).expect("loads");
    assert_eq!(loaded, manifest);
    assert_eq!((manifest.rows, manifest.inputs()), (3, 4));
    assert_eq!(table.labels, Labels::Classes(vec![2, 0, 1]));
    assert_eq!(table.inputs, ndarray::Array2::<f32>::ones((3, 4)));
    let text = String::from_utf8(manifest.to_json()).expect("UTF-8");
    assert!(text.contains("\"images\": \"images.idx\""), "{text}");
    let error = write_idx_folder(dir.path(), &about(), 3, 7, &images, &labels);
    assert_eq!(
        error.expect_err("it is not empty").code(),
        "folder_not_empty"
    );
}

#[test]
fn a_folder_of_idx_files_that_is_not_as_described_is_refused() {
    let check = |change: fn(&mut Manifest), expected: &str| {
        let dir = TempDir::new().expect("a folder");
        let (images, labels) = idx();
        let mut manifest =
            write_idx_folder(dir.path(), &about(), 3, 7, &images, &labels).expect("written");
        change(&mut manifest);
        fs::write(dir.path().join(MANIFEST_FILE), manifest.to_json()).expect("written");
        let error = load(dir.path()).expect_err(expected);
        assert_eq!(error.code(), expected, "{error}");
    };
    fn spec(manifest: &mut Manifest) -> &mut IdxSpec {
        match &mut manifest.format {
            Format::Idx(spec) => spec,
            Format::Csv(_) => panic!("a folder of IDX files"),
        }
    }
    check(|m| m.rows = 4, "row_count");
    check(|m| m.rows = 2, "idx_too_large");
    check(|m| spec(m).inputs = 3, "idx_too_large");
    check(|m| spec(m).inputs = 5, "idx_inputs");
    check(|m| spec(m).inputs = 0, "manifest_field");
    check(|m| spec(m).classes = 2, "idx_label");
    check(|m| spec(m).classes = 257, "manifest_field");
    check(|m| spec(m).divide_inputs_by = 0, "manifest_field");
    check(|m| spec(m).images = "other".into(), "not_listed");
    check(|m| spec(m).images = "labels.idx".into(), "listed_twice");
    check(|m| m.files.truncate(1), "manifest_field");
    check(|m| spec(m).labels = "images.idx".into(), "listed_twice");
    check(
        |m| {
            let spec = spec(m);
            std::mem::swap(&mut spec.images, &mut spec.labels);
        },
        "idx_dimensions",
    );
}

#[test]
fn idx_files_that_make_no_table_are_not_written() {
    let dir = TempDir::new().expect("a folder");
    let target = dir.path().join("new");
    let (images, labels) = idx();
    let error = write_idx_folder(&target, &about(), 2, 7, &images, &labels);
    assert_eq!(error.expect_err("a label of 2").code(), "idx_label");
    let error = write_idx_folder(&target, &about(), 3, 7, &images[1..], &labels);
    assert_eq!(error.expect_err("cut in front").code(), "idx_magic");
    assert!(!target.exists());
}
