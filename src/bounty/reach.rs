//! What no model can reach, and what every model does: limits, reserve and margin that the ledger takes and that
//! make a bounty hopeless, or no contest.

use protocol::Score;
use protocol::benchmark::{Benchmark, Metric};
use protocol::record::Pay;

use super::plan::{Finding, Weight};

/// Bytes of a parameter in a model folder.
const PARAMETER_BYTES: u128 = 4;

/// What a folder has beside its parameters, about: its configuration, the header of its tensors, its recipe.
const BESIDE_BYTES: u128 = 2_048;

/// What limits leave no room for.
pub fn limits(benchmark: &Benchmark) -> Vec<Finding> {
    let (inputs, outputs) = (benchmark.inputs, benchmark.task.outputs());
    let (wide, out) = (u128::from(inputs), u128::from(outputs));
    // A layer from every input to every output, without and with its biases.
    let plain = (wide * out, wide * out + out);
    // Narrower ones: every input is multiplied once at least, and every output has a weight and a bias.
    let least = (plain.0.min(wide + out), plain.1.min(2 * out + 2));
    let limits = benchmark.limits;
    let all = [
        (
            "multiply_adds_max",
            limits.multiply_adds_max,
            least.0,
            plain.0,
            "",
        ),
        (
            "parameters_max",
            limits.parameters_max,
            least.1,
            plain.1,
            "",
        ),
        (
            "file_bytes_max",
            limits.file_bytes_max,
            least.1 * PARAMETER_BYTES,
            plain.1 * PARAMETER_BYTES + BESIDE_BYTES,
            "about ",
        ),
    ];
    let found = all.into_iter().filter_map(|(name, limit, least, plain, about)| {
        let field = format!("benchmark.{name}");
        let limit = u128::from(limit);
        let (inputs, outputs) = (counted(inputs, "input"), counted(outputs, "output"));
        let of = format!("of {inputs} and {outputs}");
        let next = format!("write {about}{plain} or more: what a model without hidden layers takes");
        if limit == 0 {
            // That is a fault of its own.
            None
        } else if limit < least {
            let message = format!("no model fits: one {of} takes at least {least}, this is {limit}");
            let code = "limit_out_of_reach";
            Some(Finding::new(Weight::File, code, &field, message, next))
        } else if limit < plain {
            let message = format!(
                "a model {of} without hidden layers takes {about}{plain} and does not fit; only narrower ones do"
            );
            Some(Finding::new(
                Weight::Note,
                "limit_small",
                &field,
                message,
                next,
            ))
        } else {
            None
        }
    });
    found.collect()
}

fn counted(count: u32, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// What is wrong with the bar that models have to take.
pub fn bar(metric: Metric, pay: Pay, reserve: Score, margin: Option<u64>) -> Vec<Finding> {
    let name = metric.name();
    // An error metric counts below zero; the others end at one.
    let best = if metric.is_error() { 0 } else { 1_000_000_000 };
    let mut found = Vec::new();
    let mut put = |weight, code, field, message: String, next: &str| {
        found.push(Finding::new(weight, code, field, message, next));
    };
    const RESERVE_NEXT: &str = "write the least score that is worth the reward to you";
    if reserve.0 > best {
        let message = format!(
            "no model reaches {reserve}: the best {name} is {}",
            Score(best)
        );
        let code = "reserve_out_of_reach";
        put(Weight::File, code, "money.reserve", message, RESERVE_NEXT);
        return found;
    }
    let above = margin.map(|margin| i128::from(reserve.0) + i128::from(margin));
    let is_taken_by_all = match pay {
        Pay::WinnerTakesAll => reserve.0 <= 0,
        Pay::Steps => above.is_some_and(|above| above < 0),
    };
    if is_bounded_below(metric) && is_taken_by_all {
        let message = format!("every model reaches {reserve}: the worst {name} is 0");
        let code = "reserve_no_bar";
        put(Weight::Note, code, "money.reserve", message, RESERVE_NEXT);
    }
    if above.is_some_and(|above| above >= i128::from(best)) {
        let next = "write a smaller margin, or a lower reserve";
        let best = Score(best);
        match pay {
            Pay::WinnerTakesAll => {
                let message = format!(
                    "no {name} is better than {reserve} by more than this, as the best is {best}: the first model \
                     that reaches the reserve wins, however good a later one is"
                );
                put(Weight::Note, "margin_large", "money.margin", message, next);
            }
            Pay::Steps => {
                let message = format!(
                    "no model makes a step: none is better than the reserve of {reserve} by more than this, as the \
                     best {name} is {best}"
                );
                let code = "margin_out_of_reach";
                put(Weight::File, code, "money.margin", message, next);
            }
        }
    }
    found
}

/// Whether there is a worst score, which is 0 then.
const fn is_bounded_below(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Accuracy | Metric::MacroF1 | Metric::RocAuc | Metric::AveragePrecision
    )
}

#[cfg(test)]
mod tests {
    use protocol::benchmark::{ARITHMETIC_VERSION, ModelLimits, Task};

    use super::*;

    fn codes(found: &[Finding]) -> Vec<(&str, &str)> {
        let pairs = found.iter();
        pairs
            .map(|found| (found.code.as_str(), found.field.as_str()))
            .collect()
    }

    #[test]
    fn limits_below_what_every_model_takes_are_faults_and_narrow_ones_are_noted() {
        let check = |multiply_adds_max, parameters_max, file_bytes_max, expected: &[_]| {
            let benchmark = Benchmark {
                arithmetic: ARITHMETIC_VERSION,
                task: Task::Classification { classes: 10 },
                inputs: 64,
                metric: Metric::Accuracy,
                examples_max: 1,
                limits: ModelLimits {
                    parameters_max,
                    file_bytes_max,
                    multiply_adds_max,
                },
            };
            assert_eq!(codes(&limits(&benchmark)), expected);
        };
        check(640, 650, 2_600 + 2_048, &[]);
        check(
            639,
            649,
            2_600 + 2_047,
            &[
                ("limit_small", "benchmark.multiply_adds_max"),
                ("limit_small", "benchmark.parameters_max"),
                ("limit_small", "benchmark.file_bytes_max"),
            ],
        );
        check(
            73,
            21,
            87,
            &[
                ("limit_out_of_reach", "benchmark.multiply_adds_max"),
                ("limit_out_of_reach", "benchmark.parameters_max"),
                ("limit_out_of_reach", "benchmark.file_bytes_max"),
            ],
        );
        // Zero has a finding of its own.
        check(0, 650, 1 << 20, &[]);
    }

    #[test]
    fn what_no_benchmark_can_be_is_counted_all_the_same() {
        let benchmark = Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Classification { classes: u32::MAX },
            inputs: u32::MAX,
            metric: Metric::Accuracy,
            examples_max: 1,
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max: 1,
                multiply_adds_max: 1,
            },
        };
        assert_eq!(limits(&benchmark).len(), 3);
    }

    #[test]
    fn a_bar_that_nobody_or_everybody_takes_is_told() {
        let (all, steps) = (Pay::WinnerTakesAll, Pay::Steps);
        for (metric, pay, reserve, margin, expected) in [
            (Metric::Accuracy, all, 900_000_000, 2_000_000, &[][..]),
            (
                Metric::Accuracy,
                all,
                1_000_000_001,
                0,
                &["reserve_out_of_reach"],
            ),
            (Metric::Rmse, all, 1, 0, &["reserve_out_of_reach"]),
            (Metric::Accuracy, all, 0, 2_000_000, &["reserve_no_bar"]),
            (Metric::R2, all, -1, 2_000_000, &[]),
            // Of steps the reserve is where they begin.
            (Metric::Accuracy, steps, 0, 2_000_000, &[]),
            (
                Metric::Accuracy,
                steps,
                -3_000_000,
                2_000_000,
                &["reserve_no_bar"],
            ),
            (
                Metric::Accuracy,
                all,
                900_000_000,
                100_000_000,
                &["margin_large"],
            ),
            (
                Metric::Accuracy,
                steps,
                900_000_000,
                100_000_000,
                &["margin_out_of_reach"],
            ),
            (Metric::Rmse, all, -5, 5, &["margin_large"]),
            (Metric::Rmse, all, -5, 4, &[]),
        ] {
            let found = bar(metric, pay, Score(reserve), Some(margin));
            let codes: Vec<&str> = found.iter().map(|found| found.code.as_str()).collect();
            assert_eq!(codes, expected, "{metric:?} {pay:?} {reserve} {margin}");
        }
    }
}
