//! What a data-set folder is made from: rows that can be chosen and written.

use std::path::Path;

use datasets::{
    About, CsvSpec, CsvText, DatasetError, IdxArray, IdxKind, LabelKind, Manifest, write_folder,
    write_idx_folder,
};

use super::super::{data_failure, usage};
use super::{InitArgs, read};
use crate::failure::Failure;

/// Rows of a file, or of two.
pub(super) trait Source {
    /// How many.
    fn rows(&self) -> usize;

    /// Makes a folder of these rows, or of all.
    fn write(
        &self,
        dir: &Path,
        about: &About,
        rows: Option<&[usize]>,
    ) -> Result<Manifest, DatasetError>;
}

/// The lines of a CSV file.
pub(super) struct CsvSource<'a> {
    spec: CsvSpec,
    text: CsvText<'a>,
}

impl<'a> CsvSource<'a> {
    /// A byte order mark, which spreadsheets put before a table, is left out.
    pub(super) fn new(args: &InitArgs, path: &Path, bytes: &'a [u8]) -> Result<Self, Failure> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let spec = spec(args, bytes)?;
        let text = CsvText::read(bytes, &spec).map_err(|error| {
            let path = path.display().to_string();
            data_failure(DatasetError::Csv { path, error })
        })?;
        Ok(Self { spec, text })
    }
}

impl Source for CsvSource<'_> {
    fn rows(&self) -> usize {
        self.text.rows().len()
    }

    fn write(
        &self,
        dir: &Path,
        about: &About,
        rows: Option<&[usize]>,
    ) -> Result<Manifest, DatasetError> {
        match rows {
            Some(rows) => write_folder(dir, about, &self.spec, &self.text.select(rows)),
            None => write_folder(dir, about, &self.spec, &self.text),
        }
    }
}

/// Images and their labels, and the files that they are from.
pub(super) struct IdxSource {
    files: [Vec<u8>; 2],
    arrays: [IdxArray; 2],
    classes: u32,
    divide_by: u32,
}

impl IdxSource {
    pub(super) fn new(args: &InitArgs, images: &Path, labels: &Path) -> Result<Self, Failure> {
        let array = |path: &Path, file: &[u8], kind| {
            IdxArray::read(file, kind, u64::MAX).map_err(|error| {
                let path = path.display().to_string();
                data_failure(DatasetError::Idx { path, error })
            })
        };
        let files = [read(images)?, read(labels)?];
        let arrays = [
            array(images, &files[0], IdxKind::Images)?,
            array(labels, &files[1], IdxKind::Labels)?,
        ];
        let (found, labels) = (arrays[0].rows(), arrays[1].rows());
        if found != labels {
            let message = format_args!("there are {found} images and {labels} labels");
            let next = "give the images and the labels of the same examples";
            return Err(usage("idx_rows", message, next));
        }
        let largest = arrays[1].bytes().iter().copied().max().unwrap_or_default();
        Ok(Self {
            classes: args.classes.unwrap_or(u32::from(largest.max(1)) + 1),
            divide_by: args.divide_by,
            files,
            arrays,
        })
    }
}

impl Source for IdxSource {
    fn rows(&self) -> usize {
        self.arrays[0].rows()
    }

    /// All rows are the files as they are; chosen ones are plain files.
    fn write(
        &self,
        dir: &Path,
        about: &About,
        rows: Option<&[usize]>,
    ) -> Result<Manifest, DatasetError> {
        let chosen = |rows| {
            self.arrays
                .each_ref()
                .map(|array| array.select(rows).to_bytes())
        };
        let chosen = rows.map(chosen);
        let [images, labels] = chosen.as_ref().unwrap_or(&self.files);
        write_idx_folder(dir, about, self.classes, self.divide_by, images, labels)
    }
}

/// The shape of a CSV file, as its first line and its labels show it.
fn spec(args: &InitArgs, bytes: &[u8]) -> Result<CsvSpec, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    legible(first, args.header)?;
    let columns: Vec<&str> = first.split(',').collect();
    let label = label_column(args, &columns)?;
    let inputs = u32::try_from(columns.len() - 1).unwrap_or(u32::MAX);
    let rows = || text.lines().skip(usize::from(args.header));
    same_width(rows(), columns.len(), args.header)?;
    let labels = match args.classes {
        _ if args.regression => LabelKind::Numbers,
        Some(classes) => LabelKind::Classes(classes),
        None => LabelKind::Classes(classes(rows(), label)?),
    };
    Ok(CsvSpec {
        header: args.header,
        label_column: u32::try_from(label).unwrap_or(u32::MAX),
        inputs,
        labels,
        divide_inputs_by: args.divide_by,
    })
}

/// Refuses what is no list of numbers with commas between, by what people mean by it.
fn legible(first: &str, is_header: bool) -> Result<(), Failure> {
    let refuse = |message: &str, next: &str| Err(usage("csv_form", message, next));
    match first {
        "" => refuse(
            "the file is empty, or its first line is",
            "give a file with one row a line",
        ),
        _ if first.contains('"') => refuse(
            "the first line has quotes",
            "write names and numbers without quotes, with one comma between",
        ),
        // A name may have a semicolon, a number may not: then its comma is a decimal one.
        _ if first.contains([';', '\t']) && !(is_header && first.contains(',')) => refuse(
            "the columns are divided by semicolons or tabs",
            "write commas between the columns, and points in the numbers",
        ),
        _ => Ok(()),
    }
}

fn label_column(args: &InitArgs, columns: &[&str]) -> Result<usize, Failure> {
    let text = args.label.as_deref().unwrap_or_default();
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

/// One more than the largest label, at least two.
fn classes<'a>(rows: impl Iterator<Item = &'a str>, label: usize) -> Result<u32, Failure> {
    let mut largest: u32 = 1;
    for (place, row) in rows.enumerate().filter(|(_, row)| !row.is_empty()) {
        let cell = row.split(',').nth(label).unwrap_or_default();
        let class: u32 = cell.parse().map_err(|_| {
            let message = format_args!(
                "row {} has the label '{cell:.40}': labels are whole numbers from 0",
                place + 1
            );
            let next = "number the classes 0, 1, 2 …; if the first line names the columns, add \
                        --header; if the labels are numbers to be told, add --regression";
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
    fn what_people_take_for_csv_is_told_apart() {
        for (first, is_good) in [
            ("1,2", true),
            ("12", true),
            ("a,b,label", true),
            ("", false),
            ("1;2", false),
            ("1\t2", false),
            ("1,5;2,5", false),
            ("\"a\",\"b\"", false),
        ] {
            assert_eq!(legible(first, false).is_ok(), is_good, "{first:?}");
        }
        assert!(legible("a;b,label", true).is_ok());
        assert!(legible("a;b;label", true).is_err());
    }

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
    fn a_byte_order_mark_is_left_out() {
        let args = InitArgs {
            folder: "digits".into(),
            csv: Some("digits.csv".into()),
            label: Some("a".to_owned()),
            images: None,
            labels: None,
            name: "Digits".to_owned(),
            attribution: "nobody".to_owned(),
            header: true,
            classes: None,
            regression: false,
            divide_by: 1,
            split_test: None,
            terms: None,
        };
        let path = Path::new("digits.csv");
        // The column's name is the first of the line: a mark before it would hide it.
        let marked = CsvSource::new(&args, path, b"\xef\xbb\xbfa,b\n0,5\n1,6\n").unwrap();
        let plain = CsvSource::new(&args, path, b"a,b\n0,5\n1,6\n").unwrap();
        assert_eq!((marked.spec, marked.text), (plain.spec, plain.text));
    }
}
