//! Data sets at each limit, and one above it.

use datasets::csv_text::CELL_BYTES_MAX;
use datasets::manifest::{
    CELLS_MAX, DATA_BYTES_MAX, DIVISOR_MAX, FILES_MAX, IDX_CLASSES_MAX, LICENSE_TAGS_MAX,
    MANIFEST_BYTES_MAX, MANIFEST_VERSION,
};
use datasets::{CsvSpec, CsvText, FileEntry, Format, IdxSpec, LabelKind, Manifest, read_csv};
use protocol::BlobId;
use protocol::ans104::Tag;
use protocol::archive::{COMPONENT_BYTES_MAX, PATH_BYTES_MAX};
use protocol::benchmark::WIDTH_MAX;
use protocol::text::{Name, Text};

const CSV: CsvSpec = CsvSpec {
    header: false,
    label_column: 0,
    inputs: 2,
    labels: LabelKind::Classes(3),
    divide_inputs_by: 1,
};

/// Sets one number of a description.
type Change = fn(&mut CsvSpec, u32);

fn entry(path: &str, size_bytes: u64) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        size_bytes,
        blake3: BlobId([0; 32]),
    }
}

fn manifest(format: Format) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        name: Name::new("rows").expect("a name"),
        attribution: Text::new("nobody").expect("a text"),
        license: Vec::new(),
        rows: 3,
        format,
        files: vec![entry("a", 1), entry("b", 1)],
    }
}

fn csv() -> Manifest {
    manifest(Format::Csv(CSV))
}

fn idx(change: impl FnOnce(&mut IdxSpec)) -> Manifest {
    let mut spec = IdxSpec {
        images: "a".to_owned(),
        labels: "b".to_owned(),
        inputs: 4,
        classes: 2,
        divide_inputs_by: 255,
    };
    change(&mut spec);
    manifest(Format::Idx(spec))
}

/// A manifest that says `at` is read, one that says `above` is refused by this code.
fn check(what: &str, at: &Manifest, above: &Manifest, code: &str) {
    let read = |manifest: &Manifest| Manifest::from_json(&manifest.to_json());
    let found = read(at).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(&found, at, "{what}");
    let error = read(above).expect_err(what);
    assert_eq!(error.code(), code, "{what}: {error}");
}

#[test]
fn a_manifest_at_a_limit_is_read_and_one_above_it_is_refused() {
    let of_csv = |change: Change, value: u32| {
        let mut spec = CSV;
        change(&mut spec, value);
        let mut made = manifest(Format::Csv(spec));
        made.rows = 1;
        made
    };
    let csv_limits: [(&str, Change, u32); 3] = [
        ("inputs", |spec, value| spec.inputs = value, WIDTH_MAX),
        (
            "classes",
            |spec, value| spec.labels = LabelKind::Classes(value),
            WIDTH_MAX,
        ),
        (
            "divisor",
            |spec, value| spec.divide_inputs_by = value,
            DIVISOR_MAX,
        ),
    ];
    for (what, change, limit) in csv_limits {
        let (at, above) = (of_csv(change, limit), of_csv(change, limit + 1));
        check(what, &at, &above, "manifest_field");
    }
    check(
        "label column",
        &of_csv(|spec, value| spec.label_column = value, CSV.inputs),
        &of_csv(|spec, value| spec.label_column = value, CSV.inputs + 1),
        "manifest_field",
    );
    check(
        "classes of images",
        &idx(|spec| spec.classes = IDX_CLASSES_MAX),
        &idx(|spec| spec.classes = IDX_CLASSES_MAX + 1),
        "manifest_field",
    );

    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut made = csv();
        change(&mut made);
        made
    };
    let rows_max = CELLS_MAX / u64::from(CSV.inputs);
    check(
        "rows",
        &with(&|made| made.rows = rows_max),
        &with(&|made| made.rows = rows_max + 1),
        "manifest_field",
    );
    let tags =
        |count: usize| with(&|made| made.license = vec![Tag::new("License-Fee", "1"); count]);
    check(
        "licence tags",
        &tags(LICENSE_TAGS_MAX),
        &tags(LICENSE_TAGS_MAX + 1),
        "manifest_field",
    );
    let files = |count: usize| {
        with(&|made| made.files = (0..count).map(|n| entry(&n.to_string(), 1)).collect())
    };
    check(
        "files",
        &files(FILES_MAX),
        &files(FILES_MAX + 1),
        "manifest_field",
    );
    // Together, not each.
    let bytes = |more: u64| with(&|made| made.files[1].size_bytes = DATA_BYTES_MAX - 1 + more);
    check("bytes", &bytes(0), &bytes(1), "data_too_large");
    let component = "x".repeat(COMPONENT_BYTES_MAX);
    let long = [&component[..]; 4].join("/");
    assert!(long.len() > PATH_BYTES_MAX);
    let path = |path: &str| with(&|made| made.files[0].path = path.to_owned());
    check(
        "a path of the most bytes",
        &path(&format!("x/{}", &long[..PATH_BYTES_MAX - 2])),
        &path(&format!("x/{}y", &long[..PATH_BYTES_MAX - 2])),
        "unsafe_path",
    );
}

#[test]
fn a_manifest_of_the_most_bytes_is_read_and_a_longer_one_is_not() {
    let mut json = csv().to_json();
    json.resize(MANIFEST_BYTES_MAX, b' ');
    assert_eq!(Manifest::from_json(&json).expect("at the limit"), csv());
    json.push(b' ');
    let error = Manifest::from_json(&json).expect_err("above it");
    assert_eq!(error.code(), "manifest_json");
}

#[test]
fn a_cell_of_the_most_bytes_is_read_and_a_longer_one_is_not() {
    let row = |digits: usize| format!("1,0.{},2\n", "0".repeat(digits));
    let at = row(CELL_BYTES_MAX - 2);
    let table = read_csv(at.as_bytes(), &CSV).expect("at the limit");
    assert_eq!(table.inputs.row(0).to_vec(), [0.0, 2.0]);
    let above = row(CELL_BYTES_MAX - 1);
    let error = read_csv(above.as_bytes(), &CSV).expect_err("above it");
    assert_eq!(error.code(), "csv_cell_too_long", "{error}");
    // A whole line of such cells, and one byte that is in none of them.
    let cell = format!("1{}", "0".repeat(CELL_BYTES_MAX - 1));
    let line = [&cell[..]; 3].join(",");
    assert!(CsvText::read(line.as_bytes(), &CSV).is_ok());
    assert!(CsvText::read(format!("{line},").as_bytes(), &CSV).is_ok());
    let longer = format!("{line},,");
    let error = CsvText::read(longer.as_bytes(), &CSV).expect_err("above it");
    assert_eq!(error.code(), "csv_line_too_long", "{error}");
}

#[test]
fn as_many_rows_as_numbers_fit_are_read_and_one_more_is_not() {
    let spec = CsvSpec {
        inputs: WIDTH_MAX,
        ..CSV
    };
    // Too few columns, which is looked at when a row is read, not when lines are counted.
    let rows_max = (CELLS_MAX / u64::from(WIDTH_MAX)) as usize;
    let read = |rows: usize| CsvText::read("1\n".repeat(rows).as_bytes(), &spec).map(drop);
    assert!(read(rows_max).is_ok());
    let error = read(rows_max + 1).expect_err("above it");
    assert_eq!(error.code(), "csv_too_many_rows", "{error}");
}
