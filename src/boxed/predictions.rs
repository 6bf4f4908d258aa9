//! A model's outputs for the rows of a data set, and the rows' labels, as bytes.
//!
//! ```text
//! predictions.bin = row*
//! row             = label output*     label: binary64, a class is a whole number
//!                                     output: binary32; both little-endian
//! ```
//!
//! How many rows and outputs there are is said elsewhere; what reads this takes no
//! byte more or less, and no number that is not finite.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use datasets::Labels;
use protocol::report::Leaf;

/// The most bytes that are read.
pub const PREDICTIONS_BYTES_MAX: u64 = 256 << 20;

const LABEL_BYTES: u64 = 8;
const OUTPUT_BYTES: u64 = 4;

/// What a model says of rows, and what the data say.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Numbers that the model gives for one row.
    pub outputs: usize,
    /// A leaf a row.
    pub leaves: Vec<Leaf>,
    /// A label a row.
    pub labels: Labels,
}

/// The bytes of so many rows of so many outputs each.
pub const fn predictions_bytes(rows: u64, outputs: u64) -> u64 {
    rows.saturating_mul(LABEL_BYTES.saturating_add(outputs.saturating_mul(OUTPUT_BYTES)))
}

impl Predictions {
    /// Writes them into a new file.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create_new(path)?);
        for (row, leaf) in self.leaves.iter().enumerate() {
            let label = match &self.labels {
                Labels::Classes(labels) => f64::from(labels[row]),
                Labels::Numbers(labels) => labels[row],
            };
            out.write_all(&label.to_le_bytes())?;
            for bits in &leaf.output_bits {
                out.write_all(&bits.to_le_bytes())?;
            }
        }
        out.flush()
    }

    /// Reads them from a file that somebody else wrote.
    ///
    /// # Errors
    /// It is no regular file, has another length, or a number that cannot be there.
    pub fn read(path: &Path, rows: u32, outputs: u32, classes: bool) -> io::Result<Self> {
        let other = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let metadata = path.symlink_metadata()?;
        let expected = predictions_bytes(rows.into(), outputs.into());
        let is_long = expected > PREDICTIONS_BYTES_MAX || outputs == 0;
        if !metadata.is_file() || metadata.len() != expected || is_long {
            return Err(other("predictions of another length than was said"));
        }
        let (rows, outputs) = (rows as usize, outputs as usize);
        let mut file = BufReader::new(File::open(path)?);
        let mut leaves = Vec::with_capacity(rows);
        let mut numbers = Vec::with_capacity(rows);
        for index in 0..rows as u32 {
            let mut label = [0; LABEL_BYTES as usize];
            file.read_exact(&mut label)?;
            numbers.push(f64::from_le_bytes(label));
            let mut output_bits = Vec::with_capacity(outputs);
            for _ in 0..outputs {
                let mut bits = [0; OUTPUT_BYTES as usize];
                file.read_exact(&mut bits)?;
                output_bits.push(u32::from_le_bytes(bits));
            }
            if output_bits
                .iter()
                .any(|&bits| !f32::from_bits(bits).is_finite())
            {
                return Err(other("a prediction that is not a finite number"));
            }
            leaves.push(Leaf { index, output_bits });
        }
        let labels = labels(numbers, classes).ok_or_else(|| other("a label that is none"))?;
        Ok(Self {
            outputs,
            leaves,
            labels,
        })
    }
}

fn labels(numbers: Vec<f64>, classes: bool) -> Option<Labels> {
    if !classes {
        let is_finite = numbers.iter().all(|label| label.is_finite());
        return is_finite.then_some(Labels::Numbers(numbers));
    }
    let class = |label: f64| {
        // A cast saturates, so that only a class comes back as it was, to the bit.
        let class = label as u32;
        (f64::from(class).to_bits() == label.to_bits()).then_some(class)
    };
    let classes: Option<Vec<u32>> = numbers.into_iter().map(class).collect();
    classes.map(Labels::Classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn made(labels: Labels) -> Predictions {
        let leaves = (0..labels.len() as u32).map(|row| Leaf::new(row, &[0.5, row as f32]));
        Predictions {
            outputs: 2,
            leaves: leaves.collect(),
            labels,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let temp = tempfile::tempdir().unwrap();
        for (name, labels) in [
            ("classes", Labels::Classes(vec![0, 7, u32::MAX])),
            ("numbers", Labels::Numbers(vec![-1.5, 1e300])),
        ] {
            let path = temp.path().join(name);
            let made = made(labels);
            made.write(&path).unwrap();
            let rows = made.leaves.len() as u32;
            let is_classes = matches!(made.labels, Labels::Classes(_));
            assert_eq!(Predictions::read(&path, rows, 2, is_classes).unwrap(), made);
            for (rows, outputs) in [(rows + 1, 2), (rows, 1), (u32::MAX, u32::MAX), (6, 0)] {
                assert!(Predictions::read(&path, rows, outputs, is_classes).is_err());
            }
        }
    }

    #[test]
    fn numbers_that_cannot_be_there_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        let row =
            |label: f64, output: f32| [&label.to_le_bytes()[..], &output.to_le_bytes()].concat();
        for (label, output, classes, is_sound) in [
            (3.0, 1.0, true, true),
            (3.5, 1.0, true, false),
            (-1.0, 1.0, true, false),
            (-0.0, 1.0, true, false),
            (-0.0, -0.0, false, true),
            (4_294_967_296.0, 1.0, true, false),
            (f64::NAN, 1.0, true, false),
            (3.5, 1.0, false, true),
            (f64::NAN, 1.0, false, false),
            (f64::INFINITY, 1.0, false, false),
            (3.0, f32::NAN, true, false),
            (3.0, f32::NEG_INFINITY, true, false),
        ] {
            fs::write(&path, row(label, output)).unwrap();
            let read = Predictions::read(&path, 1, 1, classes);
            assert_eq!(read.is_ok(), is_sound, "{label} {output} {classes}");
        }
    }
}
