//! Long rows of numbers in stretches, a task each: what elementwise work is threaded by.
//!
//! **Order.** None: a stretch is independent of every other.

use super::Parts;
use super::memory::Numbers;
use super::paths::Settings;
use super::pool;

/// Numbers a task takes at least, for work of so many simple operations a number: fewer are done before another thread
/// has heard of them. A `split_min` of zero cuts as finely as can be, for tests.
fn stretch(settings: Settings, unit: usize, cost: usize) -> usize {
    let least = ((settings.split_min >> 6) / cost.max(1)).max(64);
    least.next_multiple_of(unit.max(1))
}

/// Does `task` to stretches of `x`, each whole units long (the last too, if `x` is), with the place of its first number.
pub(crate) fn in_place(
    settings: Settings,
    x: &mut [f32],
    unit: usize,
    cost: usize,
    task: impl Fn(usize, &mut [f32]) + Sync,
) {
    let part = stretch(settings, unit, cost);
    if settings.threads == 1 || x.len() <= part {
        return task(0, x);
    }
    let parts = Parts::new(x, part);
    pool::run(settings.threads, parts.count(), |index| {
        // SAFETY: each task takes a part of its own.
        task(index * part, unsafe { parts.get(index) });
    });
}

/// New numbers, which `task` writes in stretches as [`in_place`] does: every one of them.
pub(crate) fn fresh(
    settings: Settings,
    len: usize,
    unit: usize,
    cost: usize,
    task: impl Fn(usize, &mut [f32]) + Sync,
) -> Numbers {
    let mut out = Numbers::unset(len);
    in_place(settings, &mut out, unit, cost, task);
    out
}

/// A copy of `x` to whose stretches `task` is then done, a cache's worth at a time.
pub(crate) fn copied(
    settings: Settings,
    x: &[f32],
    unit: usize,
    cost: usize,
    task: impl Fn(usize, &mut [f32]) + Sync,
) -> Numbers {
    const CACHED: usize = 4096;
    let cached = CACHED.next_multiple_of(unit.max(1));
    fresh(settings, x.len(), unit, cost, |start, out| {
        let from = &x[start..start + out.len()];
        for (index, out) in out.chunks_mut(cached).enumerate() {
            let at = index * cached;
            out.copy_from_slice(&from[at..at + out.len()]);
            task(start + at, out);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_whole_units_and_cover_everything_once() {
        for (threads, split_min, len, unit) in [
            (1, 0, 1000, 10),
            (3, 0, 1000, 10),
            (2, 1 << 14, 999, 3),
            (2, 0, 0, 1),
        ] {
            let settings = Settings::current()
                .with_threads(threads)
                .with_split_min(split_min);
            let mut x = vec![0.0; len];
            in_place(settings, &mut x, unit, 1, |start, part| {
                assert!(start.is_multiple_of(unit) && part.len().is_multiple_of(unit));
                for (i, x) in part.iter_mut().enumerate() {
                    *x += (start + i) as f32;
                }
            });
            let expected: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(x, expected);
            assert_eq!(copied(settings, &x, unit, 1, |_, _| {})[..], expected);
        }
    }
}
