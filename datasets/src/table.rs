//! CSV as numbers: inputs and labels.
//!
//! Rounding: a cell's decimal text becomes the nearest binary32, ties to even
//! (one rounding, whatever the number of digits), which is then divided by
//! `divide_inputs_by` (one IEEE rounding; division by 1 changes nothing). A
//! label that is a number becomes the nearest binary64, ties to even, and is not
//! divided; it must lie in the range of binary32, since no model says more.
//! A number is written as in JSON: `-?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?`.

use ndarray::{Array2, Axis};

use crate::csv_text::{CELL_BYTES_MAX, CsvError, CsvText, excerpt};
use crate::labels::{LabelKind, Labels};
use crate::manifest::CsvSpec;

/// Examples: one row of inputs and one label each.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The inputs. Shape: rows × inputs; all finite; row-major.
    pub inputs: Array2<f32>,
    /// The labels, one a row.
    pub labels: Labels,
}

impl Table {
    /// How many examples.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Only these examples, in this order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(Axis(0), indices),
            labels: self.labels.select(indices),
        }
    }
}

/// Reads one CSV file.
///
/// # Errors
/// [`CsvError`] at the first place where the file is not what `spec` describes.
pub fn read_csv(bytes: &[u8], spec: &CsvSpec) -> Result<Table, CsvError> {
    let mut builder = TableBuilder::new(*spec);
    builder.add_file(bytes)?;
    Ok(builder.finish())
}

/// A table that grows by files.
pub(crate) struct TableBuilder {
    spec: CsvSpec,
    divisor: f32,
    inputs: Vec<f32>,
    labels: Labels,
}

impl TableBuilder {
    pub(crate) fn new(spec: CsvSpec) -> Self {
        // Exact: a divisor is a whole number of at most 2^24.
        let divisor = spec.divide_inputs_by as f32;
        Self {
            spec,
            divisor,
            inputs: Vec::new(),
            labels: Labels::new(spec.labels),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Appends the rows of one file.
    pub(crate) fn add_file(&mut self, bytes: &[u8]) -> Result<(), CsvError> {
        self.add_text(&CsvText::read(bytes, &self.spec)?)
    }

    /// Appends the rows of one file that was taken apart by this description.
    pub(crate) fn add_text(&mut self, text: &CsvText<'_>) -> Result<(), CsvError> {
        let mut line = 0;
        if let Some(header) = text.header() {
            line += 1;
            let width = header_width(header).ok_or(CsvError::Quote { line })?;
            self.check_width(line, width)?;
        }
        for row in text.rows() {
            line += 1;
            self.check_width(line, row.split(',').count())?;
            self.add_row(line, row)?;
        }
        Ok(())
    }

    fn check_width(&self, line: u64, found: usize) -> Result<(), CsvError> {
        let expected = self.spec.width();
        if found == expected {
            Ok(())
        } else {
            Err(CsvError::Width {
                line,
                found,
                expected,
            })
        }
    }

    /// Appends a row of the right width. Commas are all that its cells can be
    /// parted by: a cell with a quote is no number.
    fn add_row(&mut self, line: u64, row: &str) -> Result<(), CsvError> {
        for (column, cell) in (1usize..).zip(row.split(',')) {
            if cell.len() > CELL_BYTES_MAX {
                return Err(CsvError::CellTooLong {
                    line,
                    column,
                    size_bytes: cell.len(),
                });
            }
            if column == self.spec.label_column as usize + 1 {
                self.add_label(line, column, cell)?;
                continue;
            }
            check_number(line, column, cell)?;
            // The standard library's parse is correctly rounded.
            match cell.parse::<f32>() {
                Ok(value) if value.is_finite() => self.inputs.push(value / self.divisor),
                _ => return Err(infinite(line, column, cell)),
            }
        }
        Ok(())
    }

    fn add_label(&mut self, line: u64, column: usize, cell: &str) -> Result<(), CsvError> {
        match (&mut self.labels, self.spec.labels) {
            (Labels::Classes(labels), LabelKind::Classes(classes)) => {
                labels.push(class(line, column, cell, classes)?);
            }
            (Labels::Numbers(labels), LabelKind::Numbers) => {
                check_number(line, column, cell)?;
                match cell.parse::<f64>() {
                    Ok(value) if value.abs() <= f64::from(f32::MAX) => labels.push(value),
                    _ => return Err(infinite(line, column, cell)),
                }
            }
            _ => unreachable!("a table begins with the labels of its description"),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Table {
        let shape = (self.labels.len(), self.spec.inputs as usize);
        let inputs = Array2::from_shape_vec(shape, self.inputs);
        Table {
            inputs: inputs.expect("every row has all its inputs"),
            labels: self.labels,
        }
    }
}

fn check_number(line: u64, column: usize, cell: &str) -> Result<(), CsvError> {
    if is_number(cell) {
        return Ok(());
    }
    let value = excerpt(cell);
    Err(CsvError::Number {
        line,
        column,
        value,
    })
}

fn infinite(line: u64, column: usize, cell: &str) -> CsvError {
    let value = excerpt(cell);
    CsvError::Infinite {
        line,
        column,
        value,
    }
}

fn class(line: u64, column: usize, cell: &str, classes: u32) -> Result<u32, CsvError> {
    let digits = cell.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (cell.len() == 1 || !cell.starts_with('0'));
    match cell.parse::<u32>() {
        Ok(label) if canonical && label < classes => Ok(label),
        _ => Err(CsvError::Label {
            line,
            column,
            value: excerpt(cell),
            label_max: classes.saturating_sub(1),
        }),
    }
}

/// How many columns a header names; a name may be quoted and have commas in it. None if a quote does not end: to a
/// reader that takes line breaks into quotes the rows would be a part of the header.
fn header_width(header: &str) -> Option<usize> {
    let mut reader = csv_core::Reader::new();
    // The names are read past: no list of them is kept, however many a stranger gave.
    let (mut columns, mut has_ended, mut name) = (0, false, [0; 256]);
    for mut rest in [header.as_bytes(), b"\n"] {
        while !rest.is_empty() {
            let (result, read, _) = reader.read_field(rest, &mut name);
            rest = &rest[read..];
            if let csv_core::ReadFieldResult::Field { record_end } = result {
                columns += 1;
                has_ended = record_end;
            }
        }
    }
    has_ended.then_some(columns)
}

/// Whether a cell is a number as JSON writes it.
fn is_number(cell: &str) -> bool {
    /// Takes digits off the front; `None` if there are none.
    fn digits(bytes: &[u8]) -> Option<&[u8]> {
        let count = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (count > 0).then(|| &bytes[count..])
    }
    fn after_sign(bytes: &[u8]) -> Option<()> {
        let whole = digits(bytes)?;
        if bytes[0] == b'0' && bytes.len() - whole.len() > 1 {
            return None;
        }
        let fraction = match whole {
            [b'.', rest @ ..] => digits(rest)?,
            rest => rest,
        };
        let exponent = match fraction {
            [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] => digits(rest)?,
            rest => rest,
        };
        exponent.is_empty().then_some(())
    }
    after_sign(cell.strip_prefix('-').unwrap_or(cell).as_bytes()).is_some()
}

#[cfg(test)]
mod tests;
