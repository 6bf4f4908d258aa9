//! A long random play on the market and the model.
//!
//! ```text
//! cargo run --release -p opinion --example long-run -- RECORDS [FIRST_SEED] [STEPS]
//! ```
//!
//! Plays one history a seed, from FIRST_SEED (default 0) on, on all cores,
//! until RECORDS records were decided on; STEPS steps a history (default 250).
//! Prints progress, then the counters and the seed to go on from. At the first
//! difference it prints the seed, the steps that matter and what happened.

#[path = "../tests/against/mod.rs"]
mod against;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use opinion::{Coverage, Setup, Step};

struct Done {
    coverage: Coverage,
    records: u64,
    histories: u64,
    differing: Option<u64>,
}

fn try_play(setup: Setup, steps: &[Step]) -> Result<Coverage, String> {
    catch_unwind(AssertUnwindSafe(|| against::play(setup, steps)))
        .unwrap_or_else(|_| Err("a panic".to_owned()))
}

fn main() -> ExitCode {
    let numbers = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let numbers: Vec<u64> = match numbers.collect() {
        Ok(numbers) => numbers,
        Err(error) => {
            eprintln!("RECORDS, FIRST_SEED and STEPS are numbers: {error}");
            return ExitCode::from(2);
        }
    };
    let number = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let (wanted, first, count) = (number(0, 100_000), number(1, 0), number(2, 250) as usize);
    let next = AtomicU64::new(first);
    let done = Mutex::new(Done {
        coverage: Coverage::default(),
        records: 0,
        histories: 0,
        differing: None,
    });
    let work = || {
        loop {
            {
                let done = done.lock().expect("nobody panics with it");
                if done.records >= wanted || done.differing.is_some() {
                    return;
                }
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let result = try_play(Setup::from_seed(seed), &Step::list(seed, count));
            let mut done = done.lock().expect("nobody panics with it");
            match result {
                Ok(coverage) => {
                    done.histories += 1;
                    done.records += coverage.records();
                    done.coverage.add(&coverage);
                    if done.histories.is_multiple_of(1_000) {
                        eprintln!("seed {seed}: {} records", done.records);
                    }
                }
                Err(_) => done.differing = Some(done.differing.map_or(seed, |s| s.min(seed))),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().expect("nobody panics with it");
    print!("{}", done.coverage);
    let next = next.into_inner();
    println!(
        "{} records in {} histories, seeds {first} to {}",
        done.records,
        done.histories,
        next.saturating_sub(1)
    );
    let Some(seed) = done.differing else {
        return ExitCode::SUCCESS;
    };
    let setup = Setup::from_seed(seed);
    let steps = Step::list(seed, count);
    let steps = against::shrink(&steps, |steps| try_play(setup, steps).is_err());
    println!("a difference at seed {seed}; {} steps:", steps.len());
    let told = catch_unwind(AssertUnwindSafe(|| against::story(setup, &steps)));
    for line in told.unwrap_or_else(|_| steps.iter().map(|s| format!("{s:?}")).collect()) {
        println!("{line}");
    }
    ExitCode::FAILURE
}
