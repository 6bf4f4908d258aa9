//! Recipe to trained model folder, on the reproducible backend.
//!
//! The same recipe on the same rows gives the same bits on any processor and at
//! any thread count, so a training can be replayed. Folder in, folder out: no
//! keys, no sockets, no clock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`recipe`] | `recipe.toml`: the shapes, the optimiser, the seed |
//! | [`mod@fit`] | the training loop: rows in, weights out |
//! | [`optimizer`], [`scaling`] | its steps; standardising, and folding that into the weights |
//! | [`checkpoint`] | the state of a training on disk, to go on from |
//! | [`mod@train`] | the same from folder to folder |
//! | [`output`] | a model folder, written whole or not at all |

pub mod checkpoint;
pub mod fit;
pub mod optimizer;
pub mod output;
pub mod recipe;
pub mod scaling;
pub mod train;

pub use evaluator::evaluate as score;
pub use fit::{Fitted, Progress, Targets, fit};
pub use recipe::{Recipe, RecipeError};
pub use train::{
    Checkpoints, Next, Outcome, TrainError, Trained, train, train_resumable, train_rows,
    train_targets,
};
