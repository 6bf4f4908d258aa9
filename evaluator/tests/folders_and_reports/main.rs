//! From folders to reports: sound, broken and hostile ones.

mod evaluation;
mod folders;
mod reports;
mod support;
