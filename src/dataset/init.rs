//! `lode dataset init`: a data-set folder from a CSV file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use datasets::{About, CsvSpec, CsvText, DatasetError, Manifest, Split, write_folder};
use protocol::text::{Name, Text};

use super::{data_failure, usage};
use crate::failure::Failure;
use crate::out;
use crate::session::Session;
use crate::terms;

/// The largest CSV file that is taken.
const CSV_BYTES_MAX: u64 = 1 << 30;

/// Of how many classes the rows are counted on the screen.
const CLASSES_SHOWN: usize = 32;

/// What a folder is made from.
#[derive(clap::Args)]
pub struct InitArgs {
    /// The folder to make; with --split-test, FOLDER-train and FOLDER-test.
    folder: PathBuf,
    /// The CSV file: numbers with commas between.
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// The column that holds the class: its place counted from 0, or its name with --header.
    #[arg(long, value_name = "COLUMN")]
    label: String,
    /// What people will call it.
    #[arg(long)]
    name: String,
    /// Where the data come from and whom to credit.
    #[arg(long)]
    attribution: String,
    /// The first line names the columns.
    #[arg(long)]
    header: bool,
    /// How many classes there are; labels are 0 to one less [default: as the labels show].
    #[arg(long)]
    classes: Option<u32>,
    /// A whole number that every input is divided by.
    #[arg(long, value_name = "N", default_value_t = 1)]
    divide_by: u32,
    /// Make two folders, with every Nth row in the test part.
    #[arg(long, value_name = "N")]
    split_test: Option<u32>,
    /// Terms for the manifest: open, credit, credit=5% or paid=LODE.
    #[arg(long)]
    terms: Option<String>,
}

/// Makes the folder, or the two of them.
///
/// # Errors
/// The file is not what the options say, or a folder cannot be made.
pub fn run(session: &Session, args: &InitArgs) -> Result<(), Failure> {
    let bytes = read_csv(&args.csv)?;
    let spec = spec(args, &bytes)?;
    let terms = args.terms.as_deref().map(terms::named).transpose()?;
    let license = terms.map(|terms| terms.to_tags()).unwrap_or_default();
    let attribution = Text::new(args.attribution.clone())
        .map_err(|error| usage("attribution", error, "say it in one line"))?;
    let about = |suffix: &str| {
        let name = Name::new(format!("{}{suffix}", args.name));
        name.map(|name| About {
            name,
            attribution: attribution.clone(),
            license: license.clone(),
        })
        .map_err(|error| usage("name", error, "give it a name of one short line"))
    };
    let path = args.csv.display().to_string();
    let text = CsvText::read(&bytes, &spec)
        .map_err(|error| data_failure(DatasetError::Csv { path, error }))?;
    let mut made = Vec::new();
    let mut write = |dir: PathBuf, suffix: &str, text: &CsvText<'_>| {
        let manifest = write_folder(&dir, &about(suffix)?, &spec, text).map_err(data_failure)?;
        made.push((dir, manifest));
        Ok::<_, Failure>(())
    };
    match args.split_test {
        None => write(args.folder.clone(), "", &text)?,
        Some(n) => {
            let parts = Split::EveryNth { n, offset: 0 }.parts(text.rows().len());
            let parts = parts.map_err(|error| {
                usage(error.code(), error, "choose --split-test 2 or more, as 5")
            })?;
            let (train, test) = (text.select(&parts.train), text.select(&parts.test));
            write(beside(&args.folder, "-train"), ", training rows", &train)?;
            write(beside(&args.folder, "-test"), ", test rows", &test)?;
        }
    }
    if session.json() {
        let folders = made.iter().map(|(dir, manifest)| {
            serde_json::json!({ "folder": dir.display().to_string(), "manifest": manifest })
        });
        return out::json("dataset.init", &folders.collect::<Vec<_>>());
    }
    for (dir, manifest) in &made {
        out::line(&format!(
            "wrote {}: {} rows of {} inputs, {} classes",
            dir.display(),
            manifest.rows,
            spec.inputs,
            spec.classes
        ))?;
        let table = datasets::load_table(dir).map_err(data_failure)?;
        let counted = classes_text(&table.labels, spec.classes);
        out::line(&format!("  rows of each class: {counted}"))?;
    }
    next(args, &made)
}

/// What comes next: the training set goes out, the test set never.
fn next(args: &InitArgs, made: &[(PathBuf, Manifest)]) -> Result<(), Failure> {
    let terms = match args.terms {
        Some(_) => "",
        None => " --terms TERMS",
    };
    if let Some((dir, _)) = made.first() {
        out::line(&format!("next: lode dataset add {}{terms}", dir.display()))?;
    }
    match made {
        [_, (test, _)] => out::line(&format!(
            "never publish {}: a test set that is public measures nothing",
            test.display()
        )),
        _ => Ok(()),
    }
}

fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

fn read_csv(path: &Path) -> Result<Vec<u8>, Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    if fs::metadata(path).map_err(io)?.len() > CSV_BYTES_MAX {
        let message = format_args!("{} is larger than 1 GiB", path.display());
        return Err(usage(
            "csv_too_large",
            message,
            "divide it into several data sets",
        ));
    }
    fs::read(path).map_err(io)
}

/// The shape of a CSV file, as its first line and its labels show it.
fn spec(args: &InitArgs, bytes: &[u8]) -> Result<CsvSpec, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    let columns: Vec<&str> = first.split(',').collect();
    let label = label_column(args, &columns)?;
    let inputs = u32::try_from(columns.len() - 1).unwrap_or(u32::MAX);
    let rows = || text.lines().skip(usize::from(args.header));
    same_width(rows(), columns.len(), args.header)?;
    let classes = match args.classes {
        Some(classes) => classes,
        None => classes(rows(), label)?,
    };
    Ok(CsvSpec {
        header: args.header,
        label_column: u32::try_from(label).unwrap_or(u32::MAX),
        inputs,
        classes,
        divide_inputs_by: args.divide_by,
    })
}

fn label_column(args: &InitArgs, columns: &[&str]) -> Result<usize, Failure> {
    let text = args.label.as_str();
    let named = columns.iter().position(|name| args.header && *name == text);
    let place = named.or_else(|| text.parse().ok());
    place.filter(|&place| place < columns.len()).ok_or_else(|| {
        let last = columns.len() - 1;
        let message = format_args!("there is no column '{text:.60}'");
        let next = format!("give its place from 0 to {last}, or, with --header, its name");
        usage("label", message, &next)
    })
}

/// Whether every row has as many columns as the first line. An empty line is another fault.
fn same_width<'a>(
    rows: impl Iterator<Item = &'a str>,
    columns: usize,
    header: bool,
) -> Result<(), Failure> {
    let first = if header { "the header" } else { "the first" };
    for (place, row) in rows.enumerate() {
        let found = row.split(',').count();
        if found != columns && !row.is_empty() {
            let message = format_args!(
                "row {} has {found} columns, {first} has {columns}",
                place + 1
            );
            let next = "give every row the same columns: numbers with one comma between";
            return Err(usage("csv_width", message, next));
        }
    }
    Ok(())
}

/// How many rows each class has: as "0: 12, 1: 9", the first of them if there are many.
fn classes_text(labels: &[u32], classes: u32) -> String {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for &label in labels {
        *counts.entry(label).or_default() += 1;
    }
    let shown = (0..classes).take(CLASSES_SHOWN).map(|class| {
        let count = counts.get(&class).copied().unwrap_or(0);
        format!("{class}: {count}")
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if classes as usize > CLASSES_SHOWN {
        text.push_str(", …");
    }
    text
}

/// One more than the largest label, at least two.
fn classes<'a>(rows: impl Iterator<Item = &'a str>, label: usize) -> Result<u32, Failure> {
    let mut largest: u32 = 1;
    for (place, row) in rows.enumerate() {
        let cell = row.split(',').nth(label).unwrap_or_default();
        let class: u32 = cell.parse().map_err(|_| {
            let message = format_args!(
                "row {} has the label '{cell:.40}': labels are whole numbers from 0",
                place + 1
            );
            let next =
                "number the classes 0, 1, 2 …; if the first line names the columns, add --header";
            usage("csv_label", message, next)
        })?;
        largest = largest.max(class);
    }
    Ok(largest.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_width_is_named() {
        let check = |text: &str| same_width(text.lines(), 3, false);
        assert!(check("1,2,0\n3,4,1\n").is_ok());
        let failure = check("1,2,0\n3,4\n").unwrap_err();
        assert_eq!(failure.code, "csv_width");
        assert_eq!(failure.message, "row 2 has 2 columns, the first has 3");
        let header = same_width("1,2,0,4".lines(), 3, true).unwrap_err();
        assert_eq!(header.message, "row 1 has 4 columns, the header has 3");
    }

    #[test]
    fn rows_are_counted_by_class() {
        assert_eq!(classes_text(&[0, 2, 2], 3), "0: 1, 1: 0, 2: 2");
        assert!(classes_text(&[], 1_000).ends_with(", …"));
    }
}
