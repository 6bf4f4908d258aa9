//! Whose random numbers a job gets: a scope on the thread that runs it.
//!
//! burn's `float_random` is handed no stream, and its `Backend::seed` is one seed for the process. So a job
//! names its stream by a scope: inside [`scope`], every random tensor made on this thread is a
//! function of (seed, stream, step, draw, index), where `draw` counts the random tensors since the step was set.
//! Outside a scope a random tensor is refused: nothing here ever takes entropy. Two trainings on two threads cannot disturb each other, because a scope
//! belongs to its thread.
//!
//! ```
//! let a = repro::random::scope(7, repro::random::INIT, || repro::random::next_draw().word(0));
//! let b = repro::random::scope(7, repro::random::INIT, || repro::random::next_draw().word(0));
//! assert_eq!(a, b);
//! ```

use crate::kernels::random::Draw;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::cell::Cell;

/// Stream of initial weights.
pub const INIT: u64 = 0;
/// Stream of dropout masks.
pub const DROPOUT: u64 = 1;
/// Stream of the order of examples.
pub const SHUFFLE: u64 = 2;

#[derive(Clone, Copy)]
struct Position {
    seed: u64,
    stream: u64,
    step: u64,
    draws: u64,
}

thread_local! {
    static POSITION: Cell<Option<Position>> = const { Cell::new(None) };
}

/// Runs `job` with random tensors on this thread drawn from (`seed`, `stream`), from step 0 on; then restores
/// the scope around it, also after a panic.
pub fn scope<R>(seed: u64, stream: u64, job: impl FnOnce() -> R) -> R {
    struct Restore(Option<Position>);
    impl Drop for Restore {
        fn drop(&mut self) {
            POSITION.with(|cell| cell.set(self.0));
        }
    }
    let position = Position {
        seed,
        stream,
        step: 0,
        draws: 0,
    };
    let _restore = Restore(POSITION.with(|cell| cell.replace(Some(position))));
    job()
}

/// A module whose weights are drawn from (`seed`, [`INIT`]), in the order in which it declares them.
///
/// burn draws a parameter when it is first used. A [`scope`] around the making alone would be over by then, and the weights would
/// come from the scope of the first forward pass, or be refused where there is none.
///
/// ```
/// use burn::nn::LinearConfig;
/// use repro::{Repro, ReproDevice, random};
///
/// let make = || LinearConfig::new(3, 2).init::<Repro>(&ReproDevice);
/// let bits = |layer: burn::nn::Linear<Repro>| layer.weight.val().into_data();
/// assert_eq!(bits(random::init(7, make)), bits(random::init(7, make)));
/// ```
pub fn init<B: Backend, M: Module<B>>(seed: u64, make: impl FnOnce() -> M) -> M {
    struct Use;
    impl<B: Backend> ModuleVisitor<B> for Use {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            drop(param.val());
        }
    }
    scope(seed, INIT, || {
        let module = make();
        module.visit(&mut Use);
        module
    })
}

/// Moves the innermost scope of this thread to a step and starts counting draws anew, so that the
/// numbers of a step do not depend on how many the steps before it took.
///
/// # Panics
///
/// Outside a scope.
pub fn set_step(step: u64) {
    let position = current("random::set_step");
    let moved = Position {
        step,
        draws: 0,
        ..position
    };
    POSITION.with(|cell| cell.set(Some(moved)));
}

/// The next draw of the innermost scope of this thread: what a random tensor takes.
///
/// # Panics
///
/// Outside a scope.
pub fn next_draw() -> Draw {
    let position = current("a random tensor");
    let counted = Position {
        draws: position.draws + 1,
        ..position
    };
    POSITION.with(|cell| cell.set(Some(counted)));
    Draw::new(
        position.seed,
        position.stream,
        position.step,
        position.draws,
    )
}

/// The numbers 0 to `len` − 1 in the random order of this (seed, step): the order of examples of an epoch,
/// for which `step` is its number. Needs no scope.
pub fn permutation(seed: u64, step: u64, len: usize) -> Vec<usize> {
    Draw::new(seed, SHUFFLE, step, 0).permutation(len)
}

fn current(what: &str) -> Position {
    POSITION.with(Cell::get).unwrap_or_else(|| {
        panic!(
            "repro: {what} needs a random stream: run the job inside repro::random::scope(seed, stream, ..); the weights of a module \
             are drawn when they are first used: make it by repro::random::init(seed, ..)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_inside_a_scope_leaves_the_outer_one_where_it_was() {
        let plain = scope(1, INIT, || (next_draw(), next_draw()));
        let nested = scope(1, INIT, || {
            let first = next_draw();
            scope(2, DROPOUT, next_draw);
            (first, next_draw())
        });
        assert_eq!(plain, nested);
    }

    #[test]
    fn a_step_has_the_same_numbers_whatever_came_before_it() {
        let straight = scope(3, DROPOUT, || {
            set_step(5);
            next_draw()
        });
        let detour = scope(3, DROPOUT, || {
            for _ in 0..9 {
                next_draw();
            }
            set_step(5);
            next_draw()
        });
        assert_eq!(straight, detour);
    }

    #[test]
    fn two_threads_do_not_disturb_each_other() {
        let draws = |seed| scope(seed, INIT, || [next_draw(), next_draw(), next_draw()]);
        let alone = (draws(1), draws(2));
        let together = std::thread::scope(|threads| {
            let other = threads.spawn(|| draws(2));
            (draws(1), other.join().expect("thread ends"))
        });
        assert_eq!(alone, together);
    }

    #[test]
    #[should_panic(expected = "needs a random stream")]
    fn without_a_scope_there_are_no_random_numbers() {
        next_draw();
    }
}
