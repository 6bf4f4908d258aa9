//! `lode dataset init`: a data-set folder from a CSV file, or from two IDX files.

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use datasets::manifest::DIVISOR_MAX;
use datasets::{DatasetError, LabelKind, Labels, Manifest, Split};
use protocol::benchmark::WIDTH_MAX;
use protocol::text::{Name, Text};

use self::source::{CsvSource, IdxSource, Source};
use super::{data_failure, usage};
use crate::failure::Failure;
use crate::out;
use crate::session::Session;
use crate::terms;

/// The largest file that is taken.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Of how many classes the rows are counted on the screen.
const CLASSES_SHOWN: usize = 32;

/// Of how many classes without a row the names are said.
const ABSENT_SHOWN: usize = 8;

/// What a folder is made from.
#[derive(clap::Args)]
pub struct InitArgs {
    /// The folder to make; with --split-test, FOLDER-train and FOLDER-test.
    folder: PathBuf,
    /// The CSV file: numbers with commas between.
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    csv: Option<PathBuf>,
    /// The column that holds the label: its place counted from 0, or its name with --header.
    #[arg(
        long,
        value_name = "COLUMN",
        requires = "csv",
        required_unless_present = "images"
    )]
    label: Option<String>,
    /// Instead of a CSV file: an IDX file of images, as of MNIST, plain or gzip.
    #[arg(long, value_name = "FILE", conflicts_with = "csv", requires = "labels")]
    images: Option<PathBuf>,
    /// The IDX file of their labels.
    #[arg(long, value_name = "FILE", requires = "images")]
    labels: Option<PathBuf>,
    /// What people will call it.
    #[arg(long)]
    name: String,
    /// Where the data come from and whom to credit.
    #[arg(long)]
    attribution: String,
    /// The first line names the columns.
    #[arg(long, conflicts_with = "images")]
    header: bool,
    /// How many classes there are; labels are 0 to one less [default: as the labels show].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=i64::from(WIDTH_MAX)))]
    classes: Option<u32>,
    /// The labels are numbers, for a regression.
    #[arg(long, conflicts_with_all = ["classes", "images"])]
    regression: bool,
    /// A whole number that every input is divided by; labels are not.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(DIVISOR_MAX)))]
    divide_by: u32,
    /// Make two folders, with every Nth row in the test part.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    split_test: Option<u32>,
    /// Terms for the manifest: open, credit, credit=5%, paid=LODE, monthly=LODE or revenue=5%.
    #[arg(long)]
    terms: Option<String>,
}

/// Makes the folder, or the two of them.
///
/// # Errors
/// The files are not what the options say, or a folder cannot be made.
pub fn run(session: &Session, args: &InitArgs) -> Result<(), Failure> {
    let made = match (&args.csv, &args.images, &args.labels) {
        (Some(csv), _, _) => {
            let bytes = read(csv)?;
            make(args, &CsvSource::new(args, csv, &bytes)?)?
        }
        (None, Some(images), Some(labels)) => make(args, &IdxSource::new(args, images, labels)?)?,
        _ => {
            let next = "give --csv and --label, or --images and --labels";
            return Err(usage("no_source", "there is nothing to make it from", next));
        }
    };
    if session.json() {
        let folders = made.iter().map(|(dir, manifest)| {
            serde_json::json!({ "folder": dir.display().to_string(), "manifest": manifest })
        });
        return out::json("dataset.init", &folders.collect::<Vec<_>>());
    }
    for (dir, manifest) in &made {
        let table = datasets::load_table(dir).map_err(data_failure)?;
        let (labels, counted) = labels_text(&table.labels, manifest.labels());
        out::line(&format!(
            "wrote {}: {} rows of {} inputs, {labels}",
            dir.display(),
            manifest.rows,
            manifest.inputs(),
        ))?;
        out::line(&format!("  {counted}"))?;
        if let Some(note) = absent_text(&table.labels, manifest.labels()) {
            talk!("note: {}: {note}", dir.display());
        }
    }
    next(args, &made)
}

/// The folder of all rows, or those of training and test rows.
fn make(args: &InitArgs, source: &impl Source) -> Result<Vec<(PathBuf, Manifest)>, Failure> {
    let terms = args.terms.as_deref().map(terms::named).transpose()?;
    let license = terms.map(|terms| terms.to_tags()).unwrap_or_default();
    let attribution = Text::new(args.attribution.clone())
        .map_err(|error| usage("attribution", error, "say it in one line"))?;
    let write = |dir: PathBuf, suffix: &str, rows: Option<&[usize]>| {
        let name = Name::new(format!("{}{suffix}", args.name))
            .map_err(|error| usage("name", error, "give it a name of one short line"))?;
        let about = datasets::About {
            name,
            attribution: attribution.clone(),
            license: license.clone(),
        };
        let was_there = dir.exists();
        let manifest = source.write(&dir, &about, rows).map_err(|error| {
            if !was_there {
                // Half a folder would be in the way of the next try.
                let _ = fs::remove_dir_all(&dir);
            }
            match &error {
                DatasetError::Field { .. } => {
                    let next = "change what is named: the columns of the file, or an option";
                    usage(error.code(), &error, next)
                }
                _ => data_failure(error),
            }
        })?;
        Ok::<_, Failure>((dir, manifest))
    };
    let Some(n) = args.split_test else {
        return Ok(vec![write(args.folder.clone(), "", None)?]);
    };
    let parts = Split::EveryNth { n, offset: 0 }.parts(source.rows());
    let parts =
        parts.map_err(|error| usage(error.code(), error, "choose --split-test 2 or more, as 5"))?;
    let (train, test) = (Some(&parts.train[..]), Some(&parts.test[..]));
    Ok(vec![
        write(beside(&args.folder, "-train"), ", training rows", train)?,
        write(beside(&args.folder, "-test"), ", test rows", test)?,
    ])
}

/// What comes next: the training set goes out, the test set never.
fn next(args: &InitArgs, made: &[(PathBuf, Manifest)]) -> Result<(), Failure> {
    let terms = match args.terms {
        Some(_) => "",
        None => " --terms TERMS",
    };
    if let Some((dir, _)) = made.first() {
        let dir = dir.display();
        out::line(&format!("next: lode dataset add {dir}{terms}"))?;
        if made.len() == 1 {
            out::line(&format!(
                "if it is a test set, never publish it, a public one measures nothing: lode bounty init bounty.toml --test-set {dir}"
            ))?;
        }
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

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    // Counted while it is read: a device has no length.
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format_args!("{} is larger than 1 GiB", path.display());
        return Err(usage(
            "file_too_large",
            message,
            "divide it into several data sets",
        ));
    }
    Ok(bytes)
}

/// What the labels are, and how they are spread: rows of each class, the first
/// of them if there are many; or the least and the largest number.
fn labels_text(labels: &Labels, kind: LabelKind) -> (String, String) {
    match labels {
        Labels::Numbers(labels) => {
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for &label in labels {
                (least, most) = (least.min(label), most.max(label));
            }
            let spread = format!("labels from {least} to {most}");
            ("numbers as labels".to_owned(), spread)
        }
        Labels::Classes(labels) => {
            let classes = kind.classes().unwrap_or_default();
            let counts: Vec<String> = (0..classes)
                .take(CLASSES_SHOWN)
                .map(|class| {
                    let count = labels.iter().filter(|&&label| label == class).count();
                    format!("{class}: {count}")
                })
                .collect();
            let more = if classes as usize > CLASSES_SHOWN {
                ", …"
            } else {
                ""
            };
            let counts = format!("rows of each class: {}{more}", counts.join(", "));
            (format!("{classes} classes"), counts)
        }
    }
}

/// That some classes have no row, if it is so: models cannot learn them, or are not asked for them.
fn absent_text(labels: &Labels, kind: LabelKind) -> Option<String> {
    let classes = kind.classes()?;
    let there: BTreeSet<u32> = labels.classes()?.iter().copied().collect();
    let absent = || (0..classes).filter(|class| !there.contains(class));
    let named: Vec<String> = absent().take(ABSENT_SHOWN).map(|c| c.to_string()).collect();
    if named.is_empty() {
        return None;
    }
    let count = classes as usize - there.len();
    let more = if count > named.len() { ", …" } else { "" };
    Some(format!(
        "no row of {count} of the {classes} classes ({}{more})",
        named.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_without_a_row_are_named() {
        let absent = |labels: &[u32], classes| {
            let labels = Labels::Classes(labels.to_vec());
            absent_text(&labels, LabelKind::Classes(classes))
        };
        assert_eq!(absent(&[0, 1, 2], 3), None);
        let text = absent(&[0, 2, 2], 4).unwrap();
        assert_eq!(text, "no row of 2 of the 4 classes (1, 3)");
        assert!(absent(&[0], 100).unwrap().ends_with(", …)"));
        let numbers = Labels::Numbers(vec![1.0]);
        assert_eq!(absent_text(&numbers, LabelKind::Numbers), None);
    }

    #[test]
    fn labels_are_counted_by_class_or_bounded() {
        let classes = |labels: &[u32], classes| {
            labels_text(
                &Labels::Classes(labels.to_vec()),
                LabelKind::Classes(classes),
            )
        };
        let (what, counted) = classes(&[0, 2, 2], 3);
        assert_eq!(what, "3 classes");
        assert_eq!(counted, "rows of each class: 0: 1, 1: 0, 2: 2");
        assert!(classes(&[], 1_000).1.ends_with(", …"));
        let numbers = Labels::Numbers(vec![2.5, -1.0]);
        let (_, spread) = labels_text(&numbers, LabelKind::Numbers);
        assert_eq!(spread, "labels from -1 to 2.5");
    }
}
