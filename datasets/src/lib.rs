//! Manifests, readers and splits; yields ndarray arrays.
//!
//! A data set is a folder: `dataset.json` names its files with sizes and
//! digests and says how they are read. Reading is strict, so that two readers
//! never see different examples: what is not plainly a number is refused, with
//! file, line and column. This crate reads and writes folders; it knows no
//! licence, network, key or clock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`manifest`] | `dataset.json`: what a folder holds and how it is read |
//! | [`folder`] | safe reading of listed files; verify, describe, load, write |
//! | [`csv_text`] | CSV as text: strict lines, kept as they are for splitting |
//! | [`table`] | CSV as numbers: inputs and labels |
//! | [`labels`] | what is to be told: classes, or numbers |
//! | [`idx`] | IDX: images and labels as MNIST is published, plain or gzip |
//! | [`split`] | deterministic train and test parts |
//! | [`error`] | everything that can be wrong with a folder, with stable codes |

pub mod csv_text;
pub mod error;
pub mod folder;
pub mod idx;
pub mod labels;
pub mod manifest;
pub mod split;
pub mod table;

pub use csv_text::{CsvError, CsvText};
pub use error::DatasetError;
pub use folder::{DATA_FILE, load, load_table, write_folder, write_idx_folder};
pub use idx::{IdxArray, IdxError, IdxKind};
pub use labels::{LabelKind, Labels};
pub use manifest::{About, CsvSpec, FileEntry, Format, IdxSpec, MANIFEST_FILE, Manifest};
pub use split::{Parts, Split, SplitError};
pub use table::{Table, read_csv};
