//! IDX: arrays of bytes, as MNIST and its kin are published; plain or gzip.
//!
//! ```text
//! file   = 00 00 08 dimensions:1 (size:4, big-endian)* byte*    the last size runs fastest
//! images = a file of 2 to 4 dimensions, the first being the examples
//! labels = a file of 1 dimension
//! ```
//!
//! A file that starts with 1f 8b is gzip (RFC 1952) of such a file: one member
//! and nothing after it. The sizes are held against a limit before anything is
//! allocated; what the header promised is what is unpacked, not a byte more,
//! so a small file cannot become a large one. Too few or too many bytes are
//! refused, and so is every element type but the unsigned byte.
//!
//! Rounding: a byte is a whole number in binary32, exactly; it is divided by
//! `divide_inputs_by`, which is one IEEE rounding.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use ndarray::Array2;

use crate::labels::Labels;
use crate::manifest::{CELLS_MAX, IdxSpec};
use crate::table::Table;

/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The element type that is read: unsigned bytes.
const UNSIGNED_BYTE: u8 = 8;

/// The most dimensions of images: examples, channels, rows, columns.
const DIMENSIONS_MAX: usize = 4;

/// Why bytes are no IDX file, or not the one that was described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdxError {
    /// The file does not begin as IDX does.
    #[error("it is no IDX file: the first bytes are {0:02x?}, and must be 00 00 08 and dimensions")]
    Magic([u8; 4]),
    /// Elements of another type than unsigned bytes.
    #[error("its elements are of type {0:#04x}, only unsigned bytes (0x08) are read")]
    ElementType(u8),
    /// Too few or too many dimensions for what the file is.
    #[error("it has {found} dimensions and must have {min} to {max}")]
    Dimensions {
        /// Dimensions found.
        found: u8,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// The header promises more than was described, or than is read.
    #[error("its header says {cells} bytes of data, the limit is {limit}")]
    TooLarge {
        /// Bytes that the header promises; saturated.
        cells: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A dimension of size zero.
    #[error("dimension {0} of it is empty")]
    Empty(usize),
    /// The file ends too early.
    #[error("it has {found} bytes of data, its header says {expected}: it was cut")]
    Cut {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Bytes after the end.
    #[error("bytes follow after the {0} bytes of data that its header says")]
    Trailing(u64),
    /// There is no memory for what is unpacked: the machine's doing, and nothing about the file.
    #[error("there is not memory enough to unpack it")]
    OutOfMemory,
    /// The compressed data are damaged, or cut.
    #[error("it is gzip and cannot be unpacked: {0}")]
    Gzip(String),
    /// Images of another size than described.
    #[error("an image has {found} bytes and must have {expected}")]
    Inputs {
        /// Bytes of an image.
        found: u64,
        /// Inputs described.
        expected: u32,
    },
    /// Another number of labels than of images.
    #[error("there are {images} images and {labels} labels")]
    Rows {
        /// Images there are.
        images: usize,
        /// Labels there are.
        labels: usize,
    },
    /// A label that is not a class.
    #[error("label {row} is {label}: labels are the whole numbers from 0 to {label_max}")]
    Label {
        /// The row, from 0.
        row: usize,
        /// Its label.
        label: u8,
        /// The last class.
        label_max: u32,
    },
}

impl IdxError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Magic(_) => "idx_magic",
            Self::ElementType(_) => "idx_element_type",
            Self::Dimensions { .. } => "idx_dimensions",
            Self::TooLarge { .. } => "idx_too_large",
            Self::Empty(_) => "idx_empty",
            Self::Cut { .. } => "idx_cut",
            Self::Trailing(_) => "idx_trailing",
            Self::OutOfMemory => "out_of_memory",
            Self::Gzip(_) => "idx_gzip",
            Self::Inputs { .. } => "idx_inputs",
            Self::Rows { .. } => "idx_rows",
            Self::Label { .. } => "idx_label",
        }
    }
}

/// An array of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxArray {
    sizes: Vec<u32>,
    bytes: Vec<u8>,
}

/// What an IDX file has: which says how many dimensions it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdxKind {
    /// Images, 2 to 4 dimensions.
    Images,
    /// Labels, 1 dimension.
    Labels,
}

/// Whether a file is gzip, by its first bytes.
pub fn is_gzip(file: &[u8]) -> bool {
    file.starts_with(&GZIP_MAGIC)
}

impl IdxArray {
    /// Reads a file, plain or gzip, of at most `cells_max` bytes of data and
    /// never more than [`CELLS_MAX`].
    ///
    /// # Errors
    /// [`IdxError`] for anything but a whole file of that kind.
    pub fn read(file: &[u8], kind: IdxKind, cells_max: u64) -> Result<Self, IdxError> {
        let cells_max = cells_max.min(CELLS_MAX);
        if !is_gzip(file) {
            let mut rest = file;
            let sizes = read_sizes(&mut rest, kind, cells_max)?;
            let expected = cells(&sizes);
            let found = rest.len() as u64;
            return match found.cmp(&expected) {
                std::cmp::Ordering::Less => Err(IdxError::Cut { expected, found }),
                std::cmp::Ordering::Greater => Err(IdxError::Trailing(expected)),
                std::cmp::Ordering::Equal => Ok(Self {
                    sizes,
                    bytes: rest.to_vec(),
                }),
            };
        }
        let mut unpacked = GzDecoder::new(file);
        let sizes = read_sizes(&mut unpacked, kind, cells_max)?;
        let expected = cells(&sizes);
        let bytes = read_cells(&mut unpacked, expected)?;
        let found = bytes.len() as u64;
        if found < expected {
            return Err(IdxError::Cut { expected, found });
        }
        if found > expected || !unpacked.into_inner().is_empty() {
            return Err(IdxError::Trailing(expected));
        }
        Ok(Self { sizes, bytes })
    }

    /// The sizes, examples first; none is zero.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// How many examples.
    pub fn rows(&self) -> usize {
        self.sizes[0] as usize
    }

    /// Bytes of one example.
    pub fn row_bytes(&self) -> usize {
        self.bytes.len() / self.rows()
    }

    /// The bytes, example after example.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Only these examples, in this order; at least one.
    ///
    /// # Panics
    /// If there is no such example, or none is named.
    pub fn select(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "at least one example");
        let width = self.row_bytes();
        let mut sizes = self.sizes.clone();
        sizes[0] = u32::try_from(indices.len()).expect("no more examples than there were");
        let row = |&index: &usize| &self.bytes[index * width..(index + 1) * width];
        Self {
            sizes,
            bytes: indices.iter().flat_map(row).copied().collect(),
        }
    }

    /// The bytes of a plain file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = vec![0, 0, UNSIGNED_BYTE, self.sizes.len() as u8];
        for size in &self.sizes {
            file.extend_from_slice(&size.to_be_bytes());
        }
        file.extend_from_slice(&self.bytes);
        file
    }
}

/// Images and labels as a table, as the module's head rounds.
///
/// # Errors
/// [`IdxError::Inputs`], [`IdxError::Rows`] and [`IdxError::Label`] for arrays
/// that `spec` does not describe.
pub fn to_table(images: &IdxArray, labels: &IdxArray, spec: &IdxSpec) -> Result<Table, IdxError> {
    let width = images.row_bytes();
    if width as u64 != u64::from(spec.inputs) {
        let (found, expected) = (width as u64, spec.inputs);
        return Err(IdxError::Inputs { found, expected });
    }
    if images.rows() != labels.bytes.len() {
        let (images, labels) = (images.rows(), labels.bytes.len());
        return Err(IdxError::Rows { images, labels });
    }
    let wrong = |&label: &u8| u32::from(label) >= spec.classes;
    if let Some(row) = labels.bytes.iter().position(wrong) {
        return Err(IdxError::Label {
            row,
            label: labels.bytes[row],
            label_max: spec.classes.saturating_sub(1),
        });
    }
    // Exact: a divisor is a whole number of at most 2^24.
    let divisor = spec.divide_inputs_by as f32;
    let values = images.bytes.iter().map(|&byte| f32::from(byte) / divisor);
    let inputs = Array2::from_shape_vec((images.rows(), width), values.collect());
    Ok(Table {
        inputs: inputs.expect("rows times width is how many bytes there are"),
        labels: Labels::Classes(labels.bytes.iter().map(|&label| label.into()).collect()),
    })
}

/// The header: sizes whose product was held against the limit.
fn read_sizes(file: &mut impl Read, kind: IdxKind, cells_max: u64) -> Result<Vec<u32>, IdxError> {
    let mut magic = [0; 4];
    read_header(file, &mut magic)?;
    let [0, 0, element_type, found] = magic else {
        return Err(IdxError::Magic(magic));
    };
    if element_type != UNSIGNED_BYTE {
        return Err(IdxError::ElementType(element_type));
    }
    let (min, max) = match kind {
        IdxKind::Images => (2, DIMENSIONS_MAX),
        IdxKind::Labels => (1, 1),
    };
    if !(min..=max).contains(&usize::from(found)) {
        return Err(IdxError::Dimensions { found, min, max });
    }
    let mut sizes = Vec::with_capacity(usize::from(found));
    for dimension in 0..usize::from(found) {
        let mut size = [0; 4];
        read_header(file, &mut size)?;
        match u32::from_be_bytes(size) {
            0 => return Err(IdxError::Empty(dimension)),
            size => sizes.push(size),
        }
    }
    let cells = cells(&sizes);
    if cells > cells_max {
        let limit = cells_max;
        return Err(IdxError::TooLarge { cells, limit });
    }
    Ok(sizes)
}

/// The product of the sizes, saturated.
fn cells(sizes: &[u32]) -> u64 {
    sizes
        .iter()
        .fold(1, |product: u64, &size| product.saturating_mul(size.into()))
}

/// Grows with what is really there, up to what was promised and one byte, which
/// makes the decoder look for the end and its checksum.
fn read_cells(unpacked: &mut impl Read, expected: u64) -> Result<Vec<u8>, IdxError> {
    let mut bytes = Vec::new();
    let read = unpacked.take(expected + 1).read_to_end(&mut bytes);
    read.map_err(|error| gzip(&error))?;
    Ok(bytes)
}

fn read_header(file: &mut impl Read, bytes: &mut [u8; 4]) -> Result<(), IdxError> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => IdxError::Cut {
            expected: bytes.len() as u64,
            found: 0,
        },
        _ => gzip(&error),
    })
}

fn gzip(error: &io::Error) -> IdxError {
    match error.kind() {
        io::ErrorKind::OutOfMemory => IdxError::OutOfMemory,
        _ => IdxError::Gzip(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
