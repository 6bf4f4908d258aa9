//! Small rows to train on, and where the shared data are.

use std::path::{Path, PathBuf};

use datasets::{About, CsvSpec, CsvText, Table, read_csv, write_folder};
use miner::Recipe;
use protocol::text::{Name, Text};
use repro::kernels::random::Draw;

pub const SPEC: CsvSpec = CsvSpec {
    header: false,
    label_column: 6,
    inputs: 6,
    classes: 3,
    divide_inputs_by: 8,
};

/// Every part of a training is in it: dropout, noise, smoothing, decay, a
/// schedule, two hidden layers, and a last batch that is smaller.
pub const RECIPE: &str = "
[model]
hidden = [24, 12]
dropout = 0.25

[train]
epochs = 3
batch_size = 16
seed = 7
";

pub fn recipe() -> Recipe {
    Recipe::parse(RECIPE).expect("a sound recipe")
}

/// 100 rows whose label is the largest of three sums of two inputs.
pub fn csv() -> String {
    let draw = Draw::new(1, 0, 0, 0);
    (0..100)
        .map(|row| {
            let x: Vec<u64> = (0..6)
                .map(|column| draw.below(row * 6 + column, 9))
                .collect();
            let label = (0..3)
                .max_by_key(|c| (x[2 * c] + x[2 * c + 1], 3 - c))
                .expect("three");
            let cells: Vec<String> = x.iter().map(u64::to_string).collect();
            format!("{},{label}\n", cells.join(","))
        })
        .collect()
}

pub fn table() -> Table {
    read_csv(csv().as_bytes(), &SPEC).expect("sound rows")
}

pub fn write_data(dir: &Path) {
    let about = About {
        name: Name::new("rows").expect("a name"),
        attribution: Text::new("made by a generator").expect("a text"),
        license: Vec::new(),
    };
    let csv = csv();
    let text = CsvText::read(csv.as_bytes(), &SPEC).expect("lines");
    write_folder(dir, &about, &SPEC, &text).expect("a data set");
}

/// A folder of the shared data, or `None` with a word about what is skipped.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LODE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let required = std::env::var("LODE_REQUIRE_SHARED");
    assert_ne!(
        required.as_deref(),
        Ok("1"),
        "{folder} is required and not there"
    );
    println!("skipped: {folder} is not there");
    None
}

/// The same rows as images of two rows and three columns.
pub const CNN: &str = "
[model]
kind = \"cnn\"
image = [1, 2, 3]
conv = [
    { channels = 5, kernel = 3, padding = 1, pool = 1 },
    { channels = 4, kernel = 2, padding = 1, pool = 2 },
]
hidden = [12]
dropout = 0.1

[train]
epochs = 3
batch_size = 16
seed = 7
";
