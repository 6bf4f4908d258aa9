//! CSV as text: strict lines, kept as they are.
//!
//! ```text
//! file   = [header line] row*           UTF-8, no byte order mark
//! line   = text ("\n" | "\r\n")         the last line break may be missing
//! row    = cell ("," cell)*             inputs + 1 cells, no quotes
//! ```
//!
//! A row is one line and its cells are numbers, which need no quotes, so a
//! quote in a row is refused and can never swallow the lines after it. Only a
//! header may quote, and ends its quotes. Empty lines and control characters are refused. Splitting
//! works on these lines, so that no number is ever printed again.

use crate::manifest::{CELLS_MAX, CsvSpec, DATA_BYTES_MAX};

/// The most bytes of one cell.
pub const CELL_BYTES_MAX: usize = 128;

/// Characters of a cell that an error repeats.
const EXCERPT_CHARS: usize = 24;

/// Why a text is not the CSV that was described, and where. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// More bytes than are read.
    #[error("{size_bytes} bytes are more than the limit of {limit_bytes}")]
    TooLarge {
        /// Bytes given.
        size_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// Invisible first bytes that some editors write.
    #[error("line 1: the file starts with a byte order mark: save it as UTF-8 without one")]
    ByteOrderMark,
    /// Not UTF-8.
    #[error("line {line}: the bytes are not UTF-8")]
    Utf8 {
        /// The line.
        line: u64,
    },
    /// A control character, or a carriage return that ends no line.
    #[error("line {line}: there is the control character {found:?}")]
    Control {
        /// The line.
        line: u64,
        /// The character.
        found: char,
    },
    /// A line without anything.
    #[error("line {line} is empty: every line is a row")]
    EmptyLine {
        /// The line.
        line: u64,
    },
    /// A line longer than its columns can be.
    #[error("line {line} has {size_bytes} bytes, {columns} columns have at most {limit_bytes}")]
    LineTooLong {
        /// The line.
        line: u64,
        /// Its bytes.
        size_bytes: usize,
        /// Columns it should have.
        columns: usize,
        /// Bytes they can have.
        limit_bytes: usize,
    },
    /// A quote in the header that does not end there.
    #[error("line {line}: a quote is not closed")]
    Quote {
        /// The line.
        line: u64,
    },
    /// No row at all, or no header where one is said to be.
    #[error("there are no rows")]
    NoRows,
    /// More rows than a data set has.
    #[error("line {line}: this row is one more than the limit of {limit} rows")]
    TooManyRows {
        /// The line.
        line: u64,
        /// Rows allowed.
        limit: u64,
    },
    /// A row with another number of columns.
    #[error("line {line} has {found} columns and must have {expected}")]
    Width {
        /// The line.
        line: u64,
        /// Columns found.
        found: usize,
        /// Columns described.
        expected: usize,
    },
    /// A cell longer than a number needs.
    #[error(
        "line {line}, column {column}: {size_bytes} bytes, a cell has at most {CELL_BYTES_MAX}"
    )]
    CellTooLong {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The cell's bytes.
        size_bytes: usize,
    },
    /// An input that is not a plain decimal number.
    #[error(
        "line {line}, column {column}: {value:?} is not a number: write digits with at most one \
         point and no spaces, such as -0.5 or 1e-3"
    )]
    Number {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The cell, shortened.
        value: String,
    },
    /// An input too large for binary32.
    #[error("line {line}, column {column}: {value:?} is too large, the most is about 3.4e38")]
    Infinite {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The cell, shortened.
        value: String,
    },
    /// A label that is not a class.
    #[error(
        "line {line}, column {column}: {value:?} is not a label: labels are the whole numbers \
         from 0 to {label_max}, in digits alone"
    )]
    Label {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The cell, shortened.
        value: String,
        /// The last class.
        label_max: u32,
    },
}

impl CsvError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "csv_too_large",
            Self::ByteOrderMark => "csv_byte_order_mark",
            Self::Utf8 { .. } => "csv_utf8",
            Self::Control { .. } => "csv_control_character",
            Self::EmptyLine { .. } => "csv_empty_line",
            Self::LineTooLong { .. } => "csv_line_too_long",
            Self::Quote { .. } => "csv_quote",
            Self::NoRows => "csv_no_rows",
            Self::TooManyRows { .. } => "csv_too_many_rows",
            Self::Width { .. } => "csv_width",
            Self::CellTooLong { .. } => "csv_cell_too_long",
            Self::Number { .. } => "csv_number",
            Self::Infinite { .. } => "csv_infinite",
            Self::Label { .. } => "csv_label",
        }
    }

    /// The line that is at fault, counted from 1, if it is one.
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::TooLarge { .. } | Self::NoRows => None,
            Self::ByteOrderMark => Some(1),
            Self::Utf8 { line }
            | Self::Control { line, .. }
            | Self::EmptyLine { line }
            | Self::LineTooLong { line, .. }
            | Self::Quote { line }
            | Self::TooManyRows { line, .. }
            | Self::Width { line, .. }
            | Self::CellTooLong { line, .. }
            | Self::Number { line, .. }
            | Self::Infinite { line, .. }
            | Self::Label { line, .. } => Some(*line),
        }
    }
}

/// The first characters of a cell, for an error.
pub(crate) fn excerpt(cell: &str) -> String {
    cell.chars().take(EXCERPT_CHARS).collect()
}

/// Refuses a file of more bytes than a data set may have.
pub(crate) fn check_size(size_bytes: u64) -> Result<(), CsvError> {
    let limit_bytes = DATA_BYTES_MAX;
    if size_bytes > limit_bytes {
        return Err(CsvError::TooLarge {
            size_bytes,
            limit_bytes,
        });
    }
    Ok(())
}

/// The lines of a CSV file, each exactly as it is in the source, without its
/// line break. Cells are not looked at: [`read_csv`](crate::read_csv) does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvText<'a> {
    header: Option<&'a str>,
    rows: Vec<&'a str>,
}

impl<'a> CsvText<'a> {
    /// Takes a file apart into lines. Memory beside the bytes: 16 a row.
    ///
    /// # Errors
    /// [`CsvError`] at the first line that is empty, too long for its columns,
    /// or has what no line may have.
    pub fn read(bytes: &'a [u8], spec: &CsvSpec) -> Result<Self, CsvError> {
        Self::read_at_most(bytes, spec, u64::MAX)
    }

    /// The same, of no more rows than this and one: what follows them is not looked at.
    ///
    /// # Errors
    /// As [`CsvText::read`].
    pub(crate) fn read_at_most(
        bytes: &'a [u8],
        spec: &CsvSpec,
        rows: u64,
    ) -> Result<Self, CsvError> {
        check_size(bytes.len() as u64)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(CsvError::ByteOrderMark);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| CsvError::Utf8 {
            line: line_at(bytes, error.valid_up_to()),
        })?;
        let rows_max = CELLS_MAX / u64::from(spec.inputs.max(1));
        let mut lines = (1u64..).zip(lines(text));
        let mut header = None;
        if spec.header {
            let (line, text) = lines.next().ok_or(CsvError::NoRows)?;
            check_line(line, text, spec)?;
            header = Some(text);
        }
        let count = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        let kept = count.min(rows_max).min(rows.saturating_add(1));
        let mut rows = Vec::with_capacity(usize::try_from(kept).unwrap_or(0));
        for (line, text) in lines {
            if rows.len() as u64 == kept && kept < rows_max {
                break;
            }
            check_line(line, text, spec)?;
            if rows.len() as u64 == rows_max {
                return Err(CsvError::TooManyRows {
                    line,
                    limit: rows_max,
                });
            }
            rows.push(text);
        }
        if rows.is_empty() {
            return Err(CsvError::NoRows);
        }
        Ok(Self { header, rows })
    }

    /// The header line, if the file has one.
    pub const fn header(&self) -> Option<&'a str> {
        self.header
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[&'a str] {
        &self.rows
    }

    /// The same header with only these rows, in this order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            header: self.header,
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
        }
    }

    /// The bytes of a file with these lines, each ended by one line feed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines = || self.header.iter().chain(&self.rows);
        let mut bytes = Vec::with_capacity(lines().map(|line| line.len() + 1).sum());
        for line in lines() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The lines of a text without their line breaks; a last line may lack its own, and then a carriage return at its end is
/// no part of one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').map(|line| {
        let ended = line.strip_suffix('\n');
        ended.map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
    })
}

/// The line that a byte is on.
fn line_at(bytes: &[u8], offset: usize) -> u64 {
    1 + bytes[..offset]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count() as u64
}

fn check_line(line: u64, text: &str, spec: &CsvSpec) -> Result<(), CsvError> {
    if text.is_empty() {
        return Err(CsvError::EmptyLine { line });
    }
    let columns = spec.width();
    // A cell and its comma; this also bounds how many cells a line can have.
    let limit_bytes = columns.saturating_mul(CELL_BYTES_MAX + 1);
    if text.len() > limit_bytes {
        return Err(CsvError::LineTooLong {
            line,
            size_bytes: text.len(),
            columns,
            limit_bytes,
        });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(CsvError::Control { line, found }),
        None => Ok(()),
    }
}
