//! How much honest work takes at most: docs/decisions/011-sandbox.md has the reckoning.
//!
//! Every number saturates: a benchmark whose limits are absurd gives limits that are.

use std::time::Duration;

use datasets::manifest::CELLS_MAX;
use evaluator::Options;
use evaluator::report::LEAVES_BYTES_MAX;
use evaluator::runner::BATCH_NUMBERS_MAX;
use models::cnn::KERNEL_MAX;
use protocol::archive::DEPTH_MAX;
use protocol::benchmark::{Benchmark, WIDTH_MAX};
use sandbox::{ENTRY_BYTES, Limits};

use super::RunOptions;
use super::predictions::{PREDICTIONS_BYTES_MAX, predictions_bytes};
use crate::folder;

const MIB: u64 = 1 << 20;

/// The slowest path there is, without hardware for fma, makes about this many a second.
const MULTIPLY_ADDS_A_SECOND: u64 = 10_000_000;
/// A convolution makes so many for each that counts, at most: of an image that is no wider than a kernel's column with
/// its padding, all but one place in a row are dropped (`repro::kernels::convolution`).
const MULTIPLY_ADDS_DROPPED_MAX: u64 = KERNEL_MAX;
/// What is opened, parsed and hashed in a second, at least.
const BYTES_A_SECOND: u64 = 1_000_000;
/// Any work may take so long.
const SECONDS_MIN: u64 = 300;
/// A week: what takes longer needs a flag.
const SECONDS_MAX: u64 = 7 * 24 * 3_600;
/// What no benchmark limits, and somebody waits for.
const SECONDS_UNLIMITED: u64 = 3_600;
/// Deflate makes at most so many bytes of one.
const GZIP_RATIO_MAX: u64 = 1_032;

/// How large one child's work is at most.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Bytes of the model: what is read of its file.
    weights_bytes: u64,
    /// The most multiply-adds for one example. Each number that a layer takes or
    /// gives has one at least.
    multiply_adds: u64,
    /// Examples, and the numbers of all of them.
    examples: u64,
    cells: u64,
    /// Bytes of the data, sealed or opened.
    data_bytes: u64,
    /// Bytes of what is put into the folder.
    sealed_bytes: u64,
    /// Bytes of leaves or predictions.
    result_bytes: u64,
    seconds: u64,
}

impl Size {
    /// Work that a benchmark limits, on a test set of so many bytes, by this machine's instructions.
    pub fn of_benchmark(benchmark: &Benchmark, data_bytes: u64, sealed_bytes: u64) -> Self {
        let is_slow = evaluator::job::is_software_fma();
        Self::by_instructions(benchmark, data_bytes, sealed_bytes, is_slow)
    }

    fn by_instructions(
        benchmark: &Benchmark,
        data_bytes: u64,
        sealed_bytes: u64,
        is_slow: bool,
    ) -> Self {
        let model = &benchmark.limits;
        let columns = u64::from(benchmark.inputs) + 1;
        // A table has a byte for each number; a gzip file fewer.
        let cells_max = data_bytes.saturating_mul(GZIP_RATIO_MAX).min(CELLS_MAX);
        let examples = u64::from(benchmark.examples_max).min(cells_max / columns + 1);
        let multiply_adds = model.multiply_adds_max.saturating_mul(examples);
        let multiply_adds = match is_slow {
            true => multiply_adds.saturating_mul(MULTIPLY_ADDS_DROPPED_MAX),
            // Fast enough for these too.
            false => multiply_adds,
        };
        let read_bytes = data_bytes.saturating_add(sealed_bytes);
        let seconds = (multiply_adds / MULTIPLY_ADDS_A_SECOND)
            .saturating_add(read_bytes / BYTES_A_SECOND)
            .saturating_add(SECONDS_MIN);
        let outputs = u64::from(benchmark.task.outputs());
        let parameters_bytes = model.parameters_max.saturating_mul(4);
        Self {
            weights_bytes: parameters_bytes
                .saturating_add(4 * MIB)
                .min(model.file_bytes_max),
            multiply_adds: model.multiply_adds_max.max(columns),
            examples,
            cells: examples.saturating_mul(columns),
            data_bytes,
            sealed_bytes,
            result_bytes: examples
                .saturating_mul(8 + 4 * outputs)
                .min(LEAVES_BYTES_MAX),
            seconds: seconds.min(SECONDS_MAX),
        }
    }

    /// A model of so many bytes on data of so many, which nothing else limits.
    pub fn of_model(model_bytes: u64, data_bytes: u64, sealed_bytes: u64) -> Self {
        let rows = data_bytes;
        // An output has a weight and a bias at least.
        let outputs = (model_bytes / 8).clamp(1, u64::from(WIDTH_MAX));
        Self {
            weights_bytes: model_bytes,
            multiply_adds: u64::MAX,
            examples: rows / 2,
            // Plain data, or packed by ten.
            cells: data_bytes.saturating_mul(10).min(CELLS_MAX),
            data_bytes,
            sealed_bytes,
            result_bytes: predictions_bytes(rows, outputs).min(PREDICTIONS_BYTES_MAX),
            seconds: SECONDS_UNLIMITED,
        }
    }

    /// The same, but that it takes so long at most.
    #[cfg(test)]
    pub const fn within(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    /// The most numbers of an image with its padding, of which each thread lays
    /// out one for a convolution (`repro::kernels::convolution`).
    ///
    /// Of `c` channels of `h` by `w`, with a kernel of `k` and a padding of `p`
    /// on each side, `2p` being below `KERNEL_MAX` and at most `k`, it has
    /// `c·(h + 2p)·(w + 2p) = chw + 2p·(ch + cw) + 4p²·c` numbers: `chw`, `ch` and
    /// `cw` are at most `WIDTH_MAX`, and the last are at most `c·k²`, which are
    /// weights of that layer. It has a multiply-add for each too, since a side of
    /// `s` numbers, `s ≥ k`, has `s − k + 1` places of `k` taps.
    fn padded(&self) -> u64 {
        let with_sides = (1 + 2 * (KERNEL_MAX - 1)) * u64::from(WIDTH_MAX);
        with_sides
            .saturating_add(self.weights_bytes / 4)
            .min(self.multiply_adds)
    }

    /// The most files and folders that ciphertexts of so many bytes open to: each
    /// takes two bytes of a path at least.
    fn entries(&self) -> u64 {
        (self.sealed_bytes / 2).min(folder::LIMITS.files_max * DEPTH_MAX as u64)
    }

    /// The limits, on a machine of so many threads. Every honest model within the
    /// benchmark's own limits stays far below.
    fn limits(&self, threads: u64) -> Limits {
        // Weights are read, copied into tensors, and packed for a product.
        let weights = self.weights_bytes.saturating_mul(6);
        let batch = Options::default().batch_size as u64;
        // What a layer takes and gives, and copies of both.
        let activations = batch
            .saturating_mul(self.multiply_adds.min(u64::from(WIDTH_MAX)))
            .min(BATCH_NUMBERS_MAX as u64)
            .saturating_mul(4 * 4);
        let memory_bytes = (1024 * MIB)
            .saturating_add(threads.saturating_mul(160 * MIB))
            .saturating_add(weights)
            .saturating_add(activations)
            // Blocks of memory are an eighth longer than what they hold, at most.
            .saturating_add(threads.saturating_mul(self.padded().saturating_mul(5)))
            // Text, a list of its lines, and its numbers.
            .saturating_add(self.data_bytes.saturating_mul(12))
            // Numbers, where they were packed: bytes, floats, a copy of these.
            .saturating_add(self.cells.saturating_mul(9))
            // A list an example, its bytes, its digest.
            .saturating_add(self.result_bytes.saturating_mul(4))
            .saturating_add(self.examples.saturating_mul(128));
        Limits {
            memory_bytes,
            cpu_seconds: self.seconds,
            wall: Duration::from_secs(self.seconds),
            file_bytes: self.sealed_bytes.max(self.result_bytes).saturating_add(MIB),
            // The ciphertexts, what they open to, the result.
            folder_bytes: self
                .sealed_bytes
                .saturating_mul(2)
                .saturating_add(self.entries() * ENTRY_BYTES)
                .saturating_add(self.result_bytes)
                .saturating_add(4 * MIB),
            open_files: 64,
        }
    }

    /// The same, and no less than what was asked for.
    pub fn limits_for(&self, options: RunOptions) -> Limits {
        let threads = match options.threads {
            Some(threads) => u64::from(threads),
            // What the child will ask too. If the environment makes no sense, it says so and ends.
            None => evaluator::settings().map_or(1, |settings| settings.threads as u64),
        };
        let mut limits = self.limits(threads);
        let raised = options.time_max.unwrap_or(0);
        limits.cpu_seconds = limits.cpu_seconds.max(raised);
        limits.wall = Duration::from_secs(limits.cpu_seconds);
        let raised = options.memory_max.unwrap_or(0).saturating_mul(MIB);
        limits.memory_bytes = limits.memory_bytes.max(raised);
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::cnn::ConvLayer;
    use models::{CnnConfig, ModelConfig};
    use protocol::benchmark::{ARITHMETIC_VERSION, Metric, ModelLimits, Task};

    const BENCHMARK: Benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        examples_max: 360,
        metric: Metric::Accuracy,
        limits: ModelLimits {
            parameters_max: 1_000_000,
            file_bytes_max: 10_000_000,
            multiply_adds_max: 1_000_000,
        },
    };

    fn limits(benchmark: &Benchmark, data_bytes: u64, sealed_bytes: u64, threads: u64) -> Limits {
        Size::by_instructions(benchmark, data_bytes, sealed_bytes, false).limits(threads)
    }

    #[test]
    fn without_an_fma_of_its_own_a_machine_computes_what_a_convolution_drops() {
        let seconds = |is_slow| {
            let size = Size::by_instructions(&BENCHMARK, 50_000, 60_000, is_slow);
            size.limits(1).cpu_seconds - SECONDS_MIN
        };
        // 360 examples of a million.
        assert_eq!((seconds(false), seconds(true)), (36, 36 * KERNEL_MAX));
    }

    #[test]
    fn the_limits_grow_with_the_benchmark_and_never_overflow() {
        let small = limits(&BENCHMARK, 50_000, 60_000, 2);
        assert!(small.memory_bytes < 3 << 30, "{small:?}");
        assert!((300..700).contains(&small.cpu_seconds), "{small:?}");
        let model = ModelLimits {
            parameters_max: u64::MAX,
            file_bytes_max: u64::MAX,
            multiply_adds_max: u64::MAX,
        };
        let huge = Benchmark {
            inputs: 1,
            examples_max: u32::MAX,
            limits: model,
            ..BENCHMARK
        };
        let huge = limits(&huge, u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(huge.memory_bytes, u64::MAX);
        assert_eq!(huge.folder_bytes, u64::MAX);
        assert_eq!(huge.cpu_seconds, SECONDS_MAX);
        // A model of 4 GB and a test set of 1 GB.
        let large = Benchmark {
            limits: ModelLimits {
                parameters_max: 1_000_000_000,
                file_bytes_max: 4_100_000_000,
                multiply_adds_max: 1_000_000_000,
            },
            ..BENCHMARK
        };
        let large = limits(&large, 1_000_000_000, 5_000_000_000, 8);
        assert!(large.memory_bytes > 36_000_000_000, "{large:?}");
        assert!(large.folder_bytes > 10_000_000_000, "{large:?}");
    }

    #[test]
    fn images_that_are_packed_count_as_what_they_unpack_to() {
        // 10,000 images of 28 by 28, in two megabytes.
        let images = Benchmark {
            inputs: 784,
            examples_max: 10_000,
            ..BENCHMARK
        };
        let packed = limits(&images, 2_000_000, 2_000_000, 1);
        let fewer = Benchmark {
            examples_max: 1_000,
            ..images
        };
        let fewer = limits(&fewer, 2_000_000, 2_000_000, 1);
        // A million multiply-adds for each of 9,000 more.
        assert_eq!(packed.cpu_seconds - fewer.cpu_seconds, 900);
        assert!(packed.memory_bytes - fewer.memory_bytes > 9_000 * 785 * 9);
        // And a few bytes are never 10,000 images.
        let few = limits(&images, 1_000, 1_000, 1);
        assert!(few.cpu_seconds < 1_000, "{few:?}");
    }

    #[test]
    fn a_layer_that_is_wider_than_its_weights_has_room() {
        // One kernel of few weights over an image gives as many numbers as it has places.
        let few = ModelLimits {
            parameters_max: 1_000,
            file_bytes_max: 100_000,
            multiply_adds_max: 50_000_000,
        };
        let narrow = ModelLimits {
            multiply_adds_max: 1_000,
            ..few
        };
        let memory = |model| {
            let benchmark = Benchmark {
                limits: model,
                ..BENCHMARK
            };
            limits(&benchmark, 50_000, 60_000, 1).memory_bytes
        };
        // Beside the layer's numbers, one image with its padding.
        let most = BATCH_NUMBERS_MAX as u64 * 16 + 5 * few.multiply_adds_max;
        assert!(memory(few) - memory(narrow) > most / 2);
        assert!(memory(few) - memory(narrow) < most);
    }

    #[test]
    fn each_thread_has_room_for_the_largest_image_with_its_padding() {
        // One place of each channel, in the middle of the largest padding.
        let layer = |channels, kernel| ConvLayer {
            channels,
            kernel,
            padding: kernel / 2,
            pool: 1,
        };
        for (image, kernel) in [
            ([1_000, 1, 1], KERNEL_MAX),
            ([1_000, 1, 1], KERNEL_MAX - 1),
            ([64, 1, 300], KERNEL_MAX),
            ([64, 300, 1], 9),
            ([3, 224, 224], 7),
            ([1 << 20, 1, 1], 1),
        ] {
            let config = CnnConfig::new(image, &[layer(1, kernel)], &[], 10).unwrap();
            let config = ModelConfig::Cnn(config);
            let parameters_max = config.parameters();
            let benchmark = Benchmark {
                inputs: config.input_size() as u32,
                limits: ModelLimits {
                    parameters_max,
                    file_bytes_max: 4 * parameters_max + 1_000,
                    multiply_adds_max: config.multiply_adds(),
                },
                ..BENCHMARK
            };
            let [channels, height, width] = image;
            let padded = channels * (height + kernel / 2 * 2) * (width + kernel / 2 * 2);
            let of_threads = |threads| limits(&benchmark, 50_000, 60_000, threads).memory_bytes;
            let of_one = (of_threads(64) - of_threads(1)) / 63 - 160 * MIB;
            assert!(of_one >= padded * 4, "{image:?}, {kernel}");
        }
        // However many multiply-adds there may be, it has an end.
        let most = Size::of_model(1_000, 1_000, 1_000).padded();
        assert!(most < 64 * u64::from(WIDTH_MAX), "{most}");
    }

    #[test]
    fn a_folder_has_room_for_every_entry_of_an_archive() {
        let folder_bytes = |sealed| limits(&BENCHMARK, 50_000, sealed, 1).folder_bytes;
        assert!(folder_bytes(10_000) > 5_000 * ENTRY_BYTES);
        assert!(folder_bytes(10_000) < 6_000 * ENTRY_BYTES + (5 << 20));
        let most = folder::LIMITS.files_max * DEPTH_MAX as u64 * ENTRY_BYTES;
        assert!(folder_bytes(1_000_000) > most);
        assert!(folder_bytes(1_000_000) < most + (8 << 20));
    }

    /// The test below runs it once more, in a process whose environment names them.
    #[test]
    fn the_threads_are_those_of_the_environment() {
        let size = Size::of_model(20_000, 50_000, 21_000);
        let options = RunOptions {
            threads: None,
            memory_max: None,
            time_max: None,
        };
        let threads = match std::env::var("LODE_THREADS") {
            Ok(threads) => threads.parse().unwrap(),
            Err(_) => std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        };
        assert_eq!(size.limits_for(options), size.limits(threads));
    }

    #[test]
    fn a_number_of_threads_in_the_environment_counts_as_the_child_counts_it() {
        let name = "boxed::limits::tests::the_threads_are_those_of_the_environment";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("LODE_THREADS", "77")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
    }

    #[test]
    fn what_is_raised_is_raised_and_nothing_is_lowered() {
        let size = Size::of_model(20_000, 50_000, 21_000);
        let options = |memory_max, time_max| RunOptions {
            threads: Some(2),
            memory_max,
            time_max,
        };
        let least = size.limits_for(options(Some(1), Some(1)));
        assert_eq!(least, size.limits_for(options(None, None)));
        assert_eq!(least.wall, Duration::from_secs(3_600));
        assert!(least.memory_bytes < 4 << 30, "{least:?}");
        let raised = size.limits_for(options(Some(100_000), Some(10_000)));
        assert_eq!(raised.memory_bytes, 100_000 << 20);
        assert_eq!(raised.wall, Duration::from_secs(10_000));
    }
}
