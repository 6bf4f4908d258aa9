//! The workers: tasks of one operation, handed to threads that are already awake.
//!
//! A sleeping thread takes tens of microseconds to wake, and a product of a millisecond cannot wait for that. So a
//! worker that has nothing to do looks out for work for a while ([`AWAKE`]) before it sleeps, and nobody ever waits for
//! a worker that has not begun: the calling thread takes tasks like any other, and when none are left it closes the
//! job, so that a late worker finds nothing to join.
//!
//! **Order.** None: tasks are independent, and who does which is chance. A sum never crosses a task.
//!
//! One job is handed out at a time. A second caller, or a task that itself comes here, does its tasks alone; so
//! threads that each evaluate something share the machine without waiting for one another.

use super::paths::{assert_ieee_environment, set_ieee_environment};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a worker looks out for work before it sleeps.
pub const AWAKE: Duration = Duration::from_micros(200);

/// Does `task(0)`, .. `task(tasks - 1)`, each once, on up to `threads` threads, the calling one among them.
///
/// # Panics
///
/// With the panic of a task, after all threads have left the job.
pub fn run(threads: usize, tasks: usize, task: impl Fn(usize) + Sync) {
    POOL.run(threads, tasks, &task);
}

/// What the tasks of one operation are.
struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    tasks: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Takes tasks until none is left. A panic is kept, and no further task begins.
    fn work(&self) {
        let _inside = Inside::enter();
        let done = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= self.tasks {
                    return;
                }
                (self.task)(index);
            }
        }));
        if let Err(panic) = done {
            self.next.store(self.tasks, Ordering::Relaxed);
            lock(&self.panic).get_or_insert(panic);
        }
    }
}

thread_local! {
    /// Whether this thread is doing a task.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(true);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// The bits of [`Pool::gate`]: how many workers are in the job, how many may be, whether it is open, and its number.
const JOINED: u64 = 0xfff;
const ALLOWED_SHIFT: u32 = 12;
const ALLOWED: u64 = 0xfff << ALLOWED_SHIFT;
const OPEN: u64 = 1 << 24;
const NUMBER: u64 = 1 << 25;

struct Pool {
    /// Held by the caller whose job is handed out; the number of workers there are.
    crew: Mutex<usize>,
    gate: AtomicU64,
    /// Address of the open job.
    job: AtomicUsize,
    /// Workers asleep, or about to be.
    sleeping: AtomicUsize,
    bed: Mutex<()>,
    call: Condvar,
    /// Whether a worker could not be started; nobody tries again then.
    is_short: AtomicBool,
}

static POOL: Pool = Pool::new();

impl Pool {
    const fn new() -> Self {
        Pool {
            crew: Mutex::new(0),
            gate: AtomicU64::new(0),
            job: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            bed: Mutex::new(()),
            call: Condvar::new(),
            is_short: AtomicBool::new(false),
        }
    }

    /// As [`run`], with the workers of this pool.
    fn run(&'static self, threads: usize, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        let helpers = threads.min(tasks).saturating_sub(1);
        let alone = || (0..tasks).for_each(task);
        if helpers == 0 || INSIDE.get() {
            return alone();
        }
        let Ok(mut crew) = self.crew.try_lock() else {
            return alone();
        };
        self.enlarge(&mut crew, helpers);
        let job = Job {
            task,
            tasks,
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
        };
        self.hand_out(&job, helpers);
        job.work();
        self.close();
        drop(crew);
        if let Some(panic) = lock(&job.panic).take() {
            resume_unwind(panic);
        }
    }

    fn enlarge(&'static self, crew: &mut MutexGuard<usize>, helpers: usize) {
        while **crew < helpers && !self.is_short.load(Ordering::Relaxed) {
            let worker = std::thread::Builder::new()
                .name(format!("repro-{}", **crew + 1))
                .spawn(|| self.serve());
            match worker {
                Ok(_) => **crew += 1,
                Err(_) => self.is_short.store(true, Ordering::Relaxed),
            }
        }
    }

    fn hand_out(&self, job: &Job, helpers: usize) {
        self.job.store(
            std::ptr::from_ref(job).expose_provenance(),
            Ordering::Relaxed,
        );
        let number = self.gate.load(Ordering::Relaxed) / NUMBER + 1;
        let allowed = (helpers as u64) << ALLOWED_SHIFT & ALLOWED;
        self.gate
            .store((number * NUMBER) | OPEN | allowed, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.bed));
            self.call.notify_all();
        }
    }

    /// Lets nobody in any more and waits for those who are.
    fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::Relaxed);
        let mut looks = 0u32;
        while self.gate.load(Ordering::Acquire) & JOINED != 0 {
            look_again(&mut looks);
        }
    }

    /// Joins the open job, if there is one that still takes helpers and was not seen before. One that is full has been
    /// seen too: whoever leaves it leaves no task behind.
    fn join(&self, seen: &mut u64) -> bool {
        let mut gate = self.gate.load(Ordering::Acquire);
        loop {
            if gate & OPEN == 0 || gate / NUMBER == *seen {
                return false;
            }
            if gate & JOINED >= (gate & ALLOWED) >> ALLOWED_SHIFT {
                *seen = gate / NUMBER;
                return false;
            }
            let entered = self.gate.compare_exchange_weak(
                gate,
                gate + 1,
                Ordering::Acquire,
                Ordering::Acquire,
            );
            match entered {
                Ok(_) => {
                    *seen = gate / NUMBER;
                    return true;
                }
                Err(now) => gate = now,
            }
        }
    }

    /// A worker's life.
    // The clock says when to sleep; no result knows of it.
    #[allow(clippy::disallowed_methods)]
    fn serve(&self) {
        set_ieee_environment();
        assert_ieee_environment();
        let mut seen = 0;
        loop {
            if self.join(&mut seen) {
                let job =
                    std::ptr::with_exposed_provenance::<Job>(self.job.load(Ordering::Relaxed));
                // SAFETY: the gate was open when this worker was counted in, so its caller has not passed `close`,
                // and will not before the count is taken back below; until then the job lives.
                unsafe { (*job).work() };
                self.gate.fetch_sub(1, Ordering::Release);
                continue;
            }
            let since = Instant::now();
            let mut looks = 0u32;
            while !self.is_open_for(seen) {
                look_again(&mut looks);
                if looks.is_multiple_of(64) && since.elapsed() > AWAKE {
                    self.sleep(seen);
                    break;
                }
            }
        }
    }

    fn is_open_for(&self, seen: u64) -> bool {
        let gate = self.gate.load(Ordering::SeqCst);
        gate & OPEN != 0 && gate / NUMBER != seen
    }

    fn sleep(&self, seen: u64) {
        let mut bed = lock(&self.bed);
        // A caller that opens the gate after this line sees a sleeper and takes the bed's lock before it calls, so
        // its call finds this worker waiting; one that opened it before is seen here.
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        while !self.is_open_for(seen) {
            bed = self.call.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits a moment; now and then lets another thread have the processor.
fn look_again(looks: &mut u32) {
    *looks = looks.wrapping_add(1);
    if looks.is_multiple_of(32) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_whatever_the_threads() {
        for threads in [1, 2, 3, 8] {
            for tasks in [0, 1, 2, 7, 1000] {
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                run(threads, tasks, |index| {
                    done[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn jobs_follow_each_other_and_callers_meet() {
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        run(3, 5, |index| {
                            total.fetch_add(index, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 2_000 * 10);
    }

    #[test]
    fn a_task_may_have_tasks() {
        let total = AtomicUsize::new(0);
        run(2, 4, |_| {
            run(2, 4, |_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 16);
    }

    /// Does two tasks that each wait until the other has begun: whether two threads did them, within a minute. On a
    /// pool of the test's own: on the shared one another test may have the workers, and then the caller does all alone.
    #[allow(clippy::disallowed_methods)]
    fn do_two_meet(pool: &'static Pool) -> bool {
        let begun = AtomicUsize::new(0);
        let since = Instant::now();
        pool.run(2, 2, &|_| {
            begun.fetch_add(1, Ordering::SeqCst);
            while begun.load(Ordering::SeqCst) < 2 && since.elapsed() < Duration::from_secs(60) {
                std::thread::yield_now();
            }
        });
        since.elapsed() < Duration::from_secs(60)
    }

    #[test]
    fn a_worker_is_called_whether_it_slept_or_not() {
        static OURS: Pool = Pool::new();
        for pause in [0, 1, 20, 0, 1, 20] {
            assert!(do_two_meet(&OURS), "after {pause} times AWAKE");
            std::thread::sleep(AWAKE * pause);
        }
    }

    /// A new thread inherits what its creator set.
    #[cfg(target_arch = "x86_64")]
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_worker_computes_as_ieee_says_whoever_called_it() {
        static OURS: Pool = Pool::new();
        let caller = std::thread::spawn(|| {
            let flushing = 0x1f80u32 | 1 << 15;
            // SAFETY: loads the control register of this short-lived thread from a live local.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &flushing) };
            let (begun, is_checked) = (AtomicUsize::new(0), AtomicBool::new(false));
            let since = Instant::now();
            OURS.run(2, 2, &|_| {
                begun.fetch_add(1, Ordering::SeqCst);
                while begun.load(Ordering::SeqCst) < 2 && since.elapsed() < Duration::from_secs(20)
                {
                    std::thread::yield_now();
                }
                if std::thread::current().name() == Some("repro-1") {
                    assert_ieee_environment();
                    is_checked.store(true, Ordering::SeqCst);
                }
            });
            is_checked.into_inner()
        });
        assert!(caller.join().expect("the worker does not flush"));
    }

    #[test]
    fn workers_that_a_job_has_no_place_for_sleep_while_it_runs() {
        static OURS: Pool = Pool::new();
        OURS.run(4, 4, &|_| {});
        std::thread::sleep(AWAKE * 20);
        OURS.run(2, 2, &|index| {
            if index == 0 {
                // All three were called, and each needs a moment to wake.
                for _ in 0..1_000 {
                    std::thread::sleep(AWAKE * 20);
                    if OURS.sleeping.load(Ordering::SeqCst) >= 2 {
                        return;
                    }
                }
                panic!("they look out for work that they may not have");
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_workers_live_on() {
        let caught = catch_unwind(|| run(2, 64, |index| assert!(index != 40, "task {index}")));
        let message = caught.expect_err("the panic arrives");
        assert_eq!(
            message.downcast_ref::<String>().map(String::as_str),
            Some("task 40")
        );
        every_task_is_done_once_whatever_the_threads();
    }
}
