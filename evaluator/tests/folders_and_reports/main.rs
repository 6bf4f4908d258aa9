//! From folders to reports: sound, broken and hostile ones.

mod evaluation;
mod folders;
mod lies;
mod limits;
mod reports;
mod support;
