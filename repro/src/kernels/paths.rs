//! Which instructions and how many threads the kernels use. Neither ever changes a bit.
//!
//! The process takes its settings from `LODE_REPRO_PATH` (`avx512`, `avx2`, `neon` or `scalar`) and `LODE_THREADS`
//! once, at first use; without them it takes the fastest path that the processor has, and as many
//! threads as the machine offers. [`with`] overrides them on the calling thread for the length of a call.

use std::cell::Cell;
use std::sync::OnceLock;

/// The instructions a kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// x86-64 with AVX-512 (F, VL, BW, DQ).
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// aarch64, any.
    Neon,
    /// Plain Rust with an exact fused multiply-add in software: any machine.
    Scalar,
}

impl Path {
    /// Every path, fastest first.
    pub const ALL: [Path; 4] = [Path::Avx512, Path::Avx2, Path::Neon, Path::Scalar];

    /// The name used in `LODE_REPRO_PATH`.
    pub fn name(self) -> &'static str {
        match self {
            Path::Avx512 => "avx512",
            Path::Avx2 => "avx2",
            Path::Neon => "neon",
            Path::Scalar => "scalar",
        }
    }

    /// The path of this name.
    pub fn parse(name: &str) -> Option<Path> {
        Path::ALL.into_iter().find(|path| path.name() == name)
    }

    /// Whether this processor can run the path.
    #[inline]
    pub fn is_available(self) -> bool {
        match self {
            Path::Scalar => true,
            Path::Neon => cfg!(target_arch = "aarch64"),
            Path::Avx2 => has_avx2(),
            Path::Avx512 => has_avx512(),
        }
    }

    /// Every path that this processor can run, fastest first.
    pub fn available() -> Vec<Path> {
        Path::ALL
            .into_iter()
            .filter(|path| path.is_available())
            .collect()
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    has_avx2()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

/// What the kernels of one thread use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The instructions.
    pub path: Path,
    /// Threads for one product, the calling one included; at least 1.
    pub threads: usize,
    /// A product of fewer multiply-adds than this stays on the calling thread, because starting a thread
    /// would cost more than it saves.
    pub split_min: usize,
}

/// Multiply-adds from which a product is worth a second thread (some 20 to 100 µs of work).
pub const SPLIT_MIN: usize = 1 << 22;

impl Settings {
    /// The settings in force on this thread: those of the innermost [`with`], or the process's.
    ///
    /// # Panics
    ///
    /// If the processor is set to flush subnormal numbers to zero or to round otherwise than to
    /// nearest even, because nothing it computes then would be right.
    pub fn current() -> Settings {
        assert_ieee_environment();
        OVERRIDE
            .with(Cell::get)
            .unwrap_or_else(|| *PROCESS.get_or_init(from_environment))
    }

    /// Threads for so many multiply-adds.
    pub(super) fn threads_for(self, work: usize) -> usize {
        if work < self.split_min {
            1
        } else {
            self.threads
        }
    }

    /// The same with this path.
    pub fn with_path(self, path: Path) -> Settings {
        Settings { path, ..self }
    }

    /// The same with this number of threads.
    pub fn with_threads(self, threads: usize) -> Settings {
        Settings {
            threads: threads.max(1),
            ..self
        }
    }

    /// The same with this threshold; 0 splits even the smallest product, which tests want.
    pub fn with_split_min(self, split_min: usize) -> Settings {
        Settings { split_min, ..self }
    }
}

static PROCESS: OnceLock<Settings> = OnceLock::new();

thread_local! {
    static OVERRIDE: Cell<Option<Settings>> = const { Cell::new(None) };
}

/// Runs `job` with these settings on this thread, then restores what was before, also after a panic.
///
/// # Panics
///
/// If the processor cannot run the path.
pub fn with<R>(settings: Settings, job: impl FnOnce() -> R) -> R {
    assert!(
        settings.path.is_available(),
        "repro: this processor cannot run the path `{}`",
        settings.path.name()
    );
    struct Restore(Option<Settings>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.with(|cell| cell.set(self.0));
        }
    }
    let _restore = Restore(OVERRIDE.with(|cell| cell.replace(Some(settings))));
    job()
}

fn from_environment() -> Settings {
    check_environment().unwrap_or_else(|why| panic!("repro: {why}"))
}

/// The settings that the environment asks for, by `LODE_REPRO_PATH` and `LODE_THREADS`; a
/// program calls it at its start, where a mistake in them can still be told politely.
///
/// # Errors
///
/// A sentence that names the variable, its value and what it may be.
pub fn check_environment() -> Result<Settings, String> {
    let variable = |name: &str| match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name} is no text")),
    };
    let path = match variable("LODE_REPRO_PATH")? {
        None => Path::available()[0],
        Some(name) => {
            let path = Path::parse(&name).ok_or_else(|| {
                format!(
                    "LODE_REPRO_PATH is `{name}`; it must be `avx512`, `avx2`, `neon` or `scalar`"
                )
            })?;
            if !path.is_available() {
                let names: Vec<&str> = Path::available().into_iter().map(Path::name).collect();
                return Err(format!(
                    "LODE_REPRO_PATH asks for `{name}`, which this processor cannot run; it can run {}",
                    names.join(", ")
                ));
            }
            path
        }
    };
    let threads = match variable("LODE_THREADS")? {
        None => std::thread::available_parallelism().map_or(1, usize::from),
        Some(text) => match text.parse() {
            Ok(threads) if (1..=THREADS_MAX).contains(&threads) => threads,
            _ => {
                return Err(format!(
                    "LODE_THREADS is `{text}`; it must be a number from 1 to {THREADS_MAX}"
                ));
            }
        },
    };
    Ok(Settings {
        path,
        threads,
        split_min: SPLIT_MIN,
    })
}

/// The most threads that the environment may ask for.
pub const THREADS_MAX: usize = 1024;

/// Refuses to compute under a floating-point environment that is not IEEE's default.
///
/// Some libraries set flush-to-zero for speed, on the calling thread and for good; a new thread
/// inherits it. So this is checked wherever kernels start.
///
/// # Panics
///
/// If subnormals are flushed to zero or rounding is not to nearest even.
pub fn assert_ieee_environment() {
    if let Some(fault) = environment_fault() {
        panic!(
            "repro: the processor is set to {fault}, so no result would be reproducible. \
             Some code in this process changed the floating-point control register of this thread; \
             run the job on a thread where it is untouched"
        );
    }
}

#[cfg(target_arch = "x86_64")]
fn environment_fault() -> Option<&'static str> {
    const DENORMALS_ARE_ZERO: u32 = 1 << 6;
    const ROUNDING: u32 = 3 << 13;
    const FLUSH_TO_ZERO: u32 = 1 << 15;
    let mut control = 0u32;
    // SAFETY: `stmxcsr` writes the 32-bit control register to the given address, a live local,
    // and touches nothing else. SSE is part of every x86-64.
    unsafe {
        std::arch::asm!(
            "stmxcsr [{}]",
            in(reg) &mut control,
            options(nostack, preserves_flags)
        );
    }
    if control & (DENORMALS_ARE_ZERO | FLUSH_TO_ZERO) != 0 {
        Some("flush subnormal numbers to zero")
    } else if control & ROUNDING != 0 {
        Some("round otherwise than to nearest even")
    } else {
        None
    }
}

#[cfg(target_arch = "aarch64")]
fn environment_fault() -> Option<&'static str> {
    const ROUNDING: u64 = 3 << 22;
    const FLUSH_TO_ZERO: u64 = 1 << 24;
    // FIZ, AH and NEP, which newer processors have; elsewhere these bits are zero.
    const FLUSH_INPUTS: u64 = 1;
    const OTHER_HANDLING: u64 = 1 << 1 | 1 << 2;
    let control: u64;
    // SAFETY: reads the floating-point control register, which every aarch64 has and user code may read.
    unsafe {
        std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags));
    }
    if control & (FLUSH_TO_ZERO | FLUSH_INPUTS) != 0 {
        Some("flush subnormal numbers to zero")
    } else if control & ROUNDING != 0 {
        Some("round otherwise than to nearest even")
    } else if control & OTHER_HANDLING != 0 {
        Some("handle numbers in the alternate way")
    } else {
        None
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn environment_fault() -> Option<&'static str> {
    None
}

/// Sets this thread to IEEE's default: round to nearest even, keep subnormals. For threads that are our own.
pub(super) fn set_ieee_environment() {
    #[cfg(target_arch = "x86_64")]
    {
        const DEFAULT: u32 = 0x1f80;
        // SAFETY: loads the control register of this thread, which is ours, with the processor's default value.
        unsafe {
            std::arch::asm!("ldmxcsr [{}]", in(reg) &DEFAULT, options(nostack, preserves_flags, readonly));
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: writes the floating-point control register of this thread, which is ours, with its default value.
        unsafe {
            std::arch::asm!("msr fpcr, xzr", options(nomem, nostack, preserves_flags));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_holds_on_this_thread_only_and_ends_with_the_call() {
        let before = Settings::current();
        let inside = before.with_threads(7).with_path(Path::Scalar);
        with(inside, || {
            assert_eq!(Settings::current(), inside);
            let elsewhere = std::thread::spawn(Settings::current)
                .join()
                .expect("thread ends");
            assert_eq!(elsewhere, before);
        });
        assert_eq!(Settings::current(), before);
    }

    #[test]
    fn an_override_ends_with_a_panic_too() {
        let before = Settings::current();
        let caught = std::panic::catch_unwind(|| with(before.with_threads(9), || panic!("out")));
        assert!(caught.is_err());
        assert_eq!(Settings::current(), before);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn flush_to_zero_is_refused() {
        let refused = std::thread::spawn(|| {
            let flushing = 0x1f80u32 | 1 << 15;
            // SAFETY: loads the control register of this short-lived thread from a live local.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &flushing) };
            Settings::current()
        })
        .join();
        let message = refused.expect_err("flush-to-zero must be refused");
        let text = message.downcast_ref::<String>().expect("a message");
        assert!(text.contains("flush subnormal numbers to zero"), "{text}");
    }

    #[test]
    fn every_name_parses_back() {
        for path in Path::ALL {
            assert_eq!(Path::parse(path.name()), Some(path));
        }
        assert_eq!(Path::parse("fast"), None);
    }
}
