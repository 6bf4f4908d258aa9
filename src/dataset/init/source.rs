//! What a data-set folder is made from: rows that can be chosen and written.

use std::path::Path;

use datasets::{
    About, CsvError, CsvSpec, CsvText, DatasetError, IdxArray, IdxKind, LabelKind, Manifest,
    read_csv, write_folder, write_idx_folder,
};

use protocol::text::whole_number;

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
    /// Reads the whole file once, so that every fault is told with its line in this file.
    ///
    /// A byte order mark, which spreadsheets put before a table, is left out, and so are empty
    /// lines at the end, which editors leave.
    pub(super) fn new(args: &InitArgs, path: &Path, bytes: &'a [u8]) -> Result<Self, Failure> {
        let bytes = without_end(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let text = utf8(path, bytes)?;
        let spec = spec(args, text).map_err(|failure| Failure {
            message: format!("'{}': {}", path.display(), failure.message),
            ..failure
        })?;
        let fault = |error: CsvError| {
            let next = csv_next(args, &error);
            let message = format!("'{}': {error}", path.display());
            usage(error.code(), message, &next)
        };
        let text = CsvText::read(bytes, &spec).map_err(fault)?;
        // Cells are read too: a part of the rows would count its lines anew.
        read_csv(bytes, &spec).map_err(fault)?;
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

/// The file without the line breaks at its end.
fn without_end(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_suffix(b"\n") {
        bytes = rest.strip_suffix(b"\r").unwrap_or(rest);
    }
    bytes
}

/// The file as text, or what it is instead.
fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    let other = |code: &str, what: &str| {
        let message = format_args!("'{}' {what}", path.display());
        usage(code, message, SAVE_NEXT)
    };
    if bytes.starts_with(b"PK\x03\x04") {
        let what = "is a zip archive, as spreadsheets are saved in, not a CSV file in UTF-8";
        return Err(other("csv_form", what));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(other("csv_utf8", "is in UTF-16, not a CSV file in UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let error = CsvError::Utf8 { line };
        let message = format_args!("'{}': {error}", path.display());
        usage(error.code(), message, SAVE_NEXT)
    })
}

const SAVE_NEXT: &str = "save the table as 'CSV UTF-8', and give that file";

/// What to do about a line that is not what a CSV file of numbers has.
fn csv_next(args: &InitArgs, error: &CsvError) -> String {
    let next = match error {
        CsvError::TooLarge { .. } | CsvError::TooManyRows { .. } => {
            "divide it into several data sets"
        }
        CsvError::NoRows => "give a file with one row a line",
        CsvError::EmptyLine { .. } => "take that line out",
        CsvError::Label { .. } if args.classes.is_some() => "correct that label, or --classes",
        CsvError::Label { .. } => LABEL_NEXT,
        _ => "correct that line",
    };
    first_line(args, error.line(), next)
}

const LABEL_NEXT: &str =
    "number the classes 0, 1, 2 …; if the labels are numbers to be told, add --regression";

/// The advice, and what may be wrong with the first line alone.
fn first_line(args: &InitArgs, line: Option<u64>, next: &str) -> String {
    match line {
        Some(1) if !args.header => {
            format!("{next}; if the first line names the columns, add --header")
        }
        _ => next.to_owned(),
    }
}

/// The shape of a CSV file, as its first line and its labels show it.
fn spec(args: &InitArgs, text: &str) -> Result<CsvSpec, Failure> {
    let first = text.lines().next().unwrap_or_default();
    legible(first, args.header)?;
    let columns: Vec<&str> = first.split(',').collect();
    same_width(text, columns.len())?;
    let label = label_column(args, &columns)?;
    let inputs = u32::try_from(columns.len() - 1).unwrap_or(u32::MAX);
    let labels = match args.classes {
        _ if args.regression => LabelKind::Numbers,
        Some(classes) => LabelKind::Classes(classes),
        None => LabelKind::Classes(classes(args, text, label)?),
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
    let last = columns.len() - 1;
    if last == 0 {
        let message = format_args!(
            "--label '{text:.60}': the file has one column, and a row needs an input beside its label"
        );
        let next = "give a file with at least two columns, with commas between";
        return Err(usage("label", message, next));
    }
    let mut named = (0..columns.len()).filter(|&place| args.header && columns[place] == text);
    let first = named.next();
    if let (Some(first), Some(second)) = (first, named.next()) {
        let message = format_args!("the columns {first} and {second} are both called '{text:.60}'");
        let next = format!("give the place of the one that is meant, from 0 to {last}");
        return Err(usage("label", message, &next));
    }
    let counted = whole_number(text).filter(|&place: &usize| place <= last);
    if let (Some(first), Some(counted)) = (first, counted)
        && first != counted
    {
        let message = format_args!(
            "'{text:.60}' is the name of column {first}, and the place of column {counted}"
        );
        let counts = whole_number::<usize>(columns[counted]).is_some();
        let next = match counts || columns[counted].is_empty() {
            true => "give the column that is meant another name in the file's first line, and that name here".to_owned(),
            false => format!(
                "write '{:.60}' for column {counted}; for column {first} give it another name in the file's first line, and that name here",
                columns[counted]
            ),
        };
        return Err(usage("label", message, &next));
    }
    let place = first.or(counted);
    place.filter(|&place| place <= last).ok_or_else(|| {
        let message = format_args!("there is no column '{text:.60}'");
        let next = format!("give its place from 0 to {last}, or, with --header, its name");
        usage("label", message, &next)
    })
}

/// Whether every line has as many columns as the first, and no quotes. An empty line is another fault.
fn same_width(text: &str, columns: usize) -> Result<(), Failure> {
    for (line, row) in (1..).zip(text.lines()) {
        if row.contains('"') {
            let message = format_args!("line {line} has quotes, and quotes are not read");
            let next =
                "write names and numbers without quotes: no cell may have a comma of its own";
            return Err(usage("csv_form", message, next));
        }
        let found = row.split(',').count();
        if found != columns && !row.is_empty() {
            let columns = columns_text(columns);
            let message = format_args!(
                "line {line} has {}, the first line has {columns}",
                columns_text(found)
            );
            let next = "give every line the same columns: numbers with one comma between";
            return Err(usage("csv_width", message, next));
        }
    }
    Ok(())
}

fn columns_text(count: usize) -> String {
    match count {
        1 => "1 column".to_owned(),
        count => format!("{count} columns"),
    }
}

/// One more than the largest label, at least two; not more than there are rows.
fn classes(args: &InitArgs, text: &str, label: usize) -> Result<u32, Failure> {
    let (mut largest, mut rows): (u32, usize) = (1, 0);
    let lines = (1..).zip(text.lines()).skip(usize::from(args.header));
    for (line, row) in lines.filter(|(_, row)| !row.is_empty()) {
        let cell = row.split(',').nth(label).unwrap_or_default();
        let class: u32 = cell.parse().map_err(|_| {
            let message = format_args!(
                "line {line} has the label '{cell:.40}': labels are whole numbers from 0, in digits alone"
            );
            let next = first_line(args, Some(line), LABEL_NEXT);
            usage("csv_label", message, &next)
        })?;
        largest = largest.max(class);
        rows += 1;
    }
    let classes = largest.saturating_add(1);
    if classes > 2 && classes as usize > rows {
        let message = format_args!(
            "the largest label, {largest}, would make {classes} classes of {rows} rows"
        );
        let next = "if the labels are numbers to be told, add --regression; else number the classes 0, 1, 2 …, \
                    or say with --classes how many there are";
        return Err(usage("classes_many", message, next));
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    /// What `lode dataset init --csv digits.csv` is told, with the label in the first column.
    fn args() -> InitArgs {
        InitArgs {
            folder: "digits".into(),
            csv: Some("digits.csv".into()),
            label: Some("0".to_owned()),
            images: None,
            labels: None,
            name: "Digits".to_owned(),
            attribution: "nobody".to_owned(),
            header: false,
            classes: None,
            regression: false,
            divide_by: 1,
            split_test: None,
            terms: None,
        }
    }

    fn named() -> InitArgs {
        InitArgs {
            label: Some("a".to_owned()),
            header: true,
            ..args()
        }
    }

    fn read<'a>(args: &InitArgs, bytes: &'a [u8]) -> Result<CsvSource<'a>, Failure> {
        CsvSource::new(args, Path::new("digits.csv"), bytes)
    }

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
        ] {
            assert_eq!(legible(first, false).is_ok(), is_good, "{first:?}");
        }
        assert!(legible("a;b,label", true).is_ok());
        assert!(legible("a;b;label", true).is_err());
    }

    #[test]
    fn a_column_is_named_or_counted_but_never_both() {
        let place = |label: &str, columns: &[&str]| {
            let args = InitArgs {
                label: Some(label.to_owned()),
                ..named()
            };
            label_column(&args, columns).ok()
        };
        assert_eq!(place("0", &["a", "b"]), Some(0));
        assert_eq!(place("b", &["a", "b"]), Some(1));
        assert_eq!(place("0", &["0", "1"]), Some(0));
        assert_eq!(place("7", &["a", "7"]), Some(1));
        // The name of one and the place of another.
        assert_eq!(place("0", &["id", "0"]), None);
        for other in ["2", "+0", "00", "c"] {
            assert_eq!(place(other, &["a", "b"]), None, "{other}");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_line_in_the_file_that_was_given() {
        let regression = InitArgs {
            regression: true,
            ..args()
        };
        let few = InitArgs {
            classes: Some(2),
            ..args()
        };
        for (args, text, code, what) in [
            (&args(), "0,1\n1\n", "csv_width", "line 2 has 1 column,"),
            (&named(), "a,b\n0,1,2\n", "csv_width", "line 2 has 3"),
            (&named(), "a,b\n0,1\n\n1,2\n", "csv_empty_line", "line 3"),
            (
                &named(),
                "a,b\n0,1\n1,x\n",
                "csv_number",
                "line 3, column 2",
            ),
            (
                &args(),
                "0,1\n1.0,2\n",
                "csv_label",
                "line 2 has the label '1.0'",
            ),
            (&args(), "0,1\n 1,2\n", "csv_label", "the label ' 1'"),
            (
                &args(),
                "0,1\n01,2\n",
                "csv_label",
                "line 2, column 1: \"01\"",
            ),
            (&few, "0,1\n2,2\n", "csv_label", "from 0 to 1"),
            (&regression, "0,1\n1e99,2\n", "csv_infinite", "line 2"),
            (&args(), "0,1\n1,\"2\"\n", "csv_form", "line 2 has quotes"),
            (&named(), "\"a\",b\n", "csv_form", "line 1 has quotes"),
            (&args(), "0\n1\n", "label", "--label '0'"),
            (&named(), "a,b,a\n0,1,2\n", "label", "columns 0 and 2"),
            (
                &args(),
                "0,1\n399153,2\n",
                "classes_many",
                "399154 classes of 2 rows",
            ),
        ] {
            let failure = read(args, text.as_bytes()).err().unwrap();
            assert_eq!((failure.code.as_str(), failure.exit), (code, Exit::Usage));
            let message = &failure.message;
            assert!(message.starts_with("'digits.csv': "), "{message}");
            assert!(message.contains(what), "{message}");
            assert!(!failure.next_step.contains("--header"), "{text}");
        }
    }

    #[test]
    fn only_the_first_line_may_be_one_of_names() {
        let regression = InitArgs {
            regression: true,
            ..args()
        };
        for args in [args(), regression] {
            let failure = read(&args, b"a,b\n0,1\n").err().unwrap();
            assert!(failure.next_step.contains("--header"), "{failure}");
        }
    }

    #[test]
    fn what_is_no_text_in_utf_8_is_told_to_be_saved_as_such() {
        for (bytes, what) in [
            (&b"PK\x03\x04rest"[..], "zip"),
            (b"\xff\xfe0\0,\x001\0", "UTF-16"),
            (b"\xfe\xff\x000\0,\x001", "UTF-16"),
            (b"0,1\n1,\xff\n", "line 2: the bytes are not UTF-8"),
        ] {
            let failure = read(&args(), bytes).err().unwrap();
            assert!(failure.message.contains(what), "{failure}");
            assert!(failure.next_step.contains("CSV UTF-8"));
        }
    }

    #[test]
    fn what_spreadsheets_and_editors_add_is_left_out() {
        let plain = read(&named(), b"a,b\n0,5\n1,6\n").unwrap();
        // The column's name is the first of the line: a mark before it would hide it.
        for bytes in [
            &b"\xef\xbb\xbfa,b\n0,5\n1,6\n"[..],
            b"a,b\n0,5\n1,6\n\n",
            b"a,b\r\n0,5\r\n1,6\r\n\r\n",
        ] {
            let found = read(&named(), bytes).unwrap();
            assert_eq!((found.spec, &found.text), (plain.spec, &plain.text));
        }
    }
}
