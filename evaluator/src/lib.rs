//! Job to report: a model folder and a test folder in, leaves and a score out.
//!
//! Everything is computed on `repro`'s inner backend, never through autodiff,
//! so the same job gives the same leaves on any processor, at any thread count
//! and in any batch size. Folders in, folders out: no keys, no sockets, no clock.
//!
//! A **fault** of the model is an outcome, and every honest evaluator finds the
//! same one: [`Fault`] has a stable code and a place. What is the machine's
//! fault (a file that cannot be read) or the test set's is [`NoVerdict`], and
//! never counts against a submission.
//!
//! | module | what it holds |
//! |---|---|
//! | [`job`] | a job, its options, [`evaluate`] |
//! | [`folder`] | the model folder: which files, how large, strictly read |
//! | [`runner`] | a model at work: rows in, leaves out |
//! | [`metric`] | accuracy and log loss from leaves |
//! | [`test_set`] | the test folder against the benchmark |
//! | [`report`] | the report, its JSON, its leaves file |
//! | [`mod@reproduce`] | somebody else's report, or one example of it, recomputed |

pub mod fault;
pub mod folder;
pub mod job;
pub mod metric;
pub mod report;
pub mod reproduce;
pub mod runner;
pub mod test_set;

pub use fault::{Fault, NoVerdict};
pub use folder::{LoadedModel, load_model};
pub use job::{Job, Options, check_environment, evaluate, settings};
pub use metric::Metrics;
pub use report::{Report, ReportError};
pub use reproduce::{Difference, Reproduction, reproduce, reproduce_example};
pub use runner::ModelRunner;
pub use test_set::{TestSet, check_test_set};
