//! What a stranger made is opened, scored and run in a child process under limits:
//! docs/decisions/011-sandbox.md.
//!
//! ```text
//! parent                                   child: `lode in-box`
//! writes ciphertexts into its folder
//! starts it, gives the orders on stdin ──► limits itself, then opens and computes
//! watches it                           ◄── answer.json, report/, test/, predictions.bin
//! reads the answer, strictly
//! ```
//!
//! The child has an empty environment but for what the arithmetic reads. An end
//! by a limit, a crash, an answer that is none: no verdict on anything, a
//! [`Failure`](crate::failure::Failure) of this machine.
//!
//! | module | what it holds |
//! |---|---|
//! | `orders` | what the two say to each other |
//! | `limits` | how much honest work takes at most |
//! | `parent` | the folder, the child's start and end, its answer |
//! | `child` | the work itself |
//! | `predictions` | a model's outputs, row by row, as bytes |

mod child;
mod limits;
mod orders;
mod parent;
mod predictions;

pub use child::child;
pub use parent::{Enclosure, ModelAt};

/// How a child computes and what it may use; none of it changes a bit of a result.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct RunOptions {
    /// Threads of a product [default: LODE_THREADS, or the machine's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Let the work have at least so much memory [default: what its limits or its bytes need].
    #[arg(long, value_name = "MIB")]
    memory_max: Option<u64>,
    /// Let the work take at least so long [default: what its limits need, at least 300].
    #[arg(long, value_name = "SECONDS")]
    time_max: Option<u64>,
}

impl RunOptions {
    /// The same for the evaluator.
    pub fn options(self) -> evaluator::Options {
        evaluator::Options {
            threads: self.threads.map(usize::from),
            ..evaluator::Options::default()
        }
    }
}
