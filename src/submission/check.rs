//! A model folder, read and run exactly as an evaluator will.

use std::collections::BTreeMap;
use std::path::Path;

use evaluator::fault::{Failure as Verdict, Fault};
use evaluator::job::evaluate_model;
use evaluator::{LoadedModel, Metrics, Options, TestSet, load_model};
use protocol::benchmark::{Benchmark, Metric};
use protocol::report::Outcome;
use protocol::{Digest, Score};
use serde::Serialize;

use super::known::Known;
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::out;

/// What the check found; a folder that an evaluator would call invalid has no such thing.
#[derive(Serialize)]
pub struct Checked {
    pub parameters: u64,
    pub parameters_max: u64,
    pub multiply_adds: u64,
    pub multiply_adds_max: u64,
    pub folder_bytes: u64,
    pub folder_bytes_max: u64,
    pub weights_digest: Digest,
    pub scored: Option<Scored>,
    /// What on the log has these weights already, where that was asked.
    pub known: Option<Known>,
}

/// What the model comes to on the data that were given.
#[derive(Serialize)]
pub struct Scored {
    pub examples: u64,
    /// The one that becomes the score.
    pub metric: Metric,
    pub score: Score,
    /// Every metric that there is for the task and these data, by its name.
    #[serde(flatten)]
    pub metrics: BTreeMap<&'static str, f64>,
}

/// Checks a folder against a benchmark; with `data` it is scored on that too.
///
/// # Errors
/// What an evaluator would call invalid, with code and place; or data that cannot be read.
pub fn check(dir: &Path, benchmark: &Benchmark, data: Option<&Path>) -> Result<Checked, Failure> {
    // What is not there is a slip of who typed it, and no verdict on anything.
    std::fs::metadata(dir).map_err(|error| Failure::io(dir, &error))?;
    // First, because it looks at sizes before it reads.
    let model = load_model(dir, benchmark).map_err(|error| match error {
        Verdict::Fault(fault) => invalid(&fault),
        Verdict::NoVerdict(reason) => unreadable(reason),
    })?;
    // An archive holds less than a folder can: links, devices, odd names.
    folder::pack(dir, std::io::sink())?;
    let scored = data
        .map(|data| score(&model, benchmark, data))
        .transpose()?;
    let limits = &benchmark.limits;
    Ok(Checked {
        parameters: model.config.parameters(),
        parameters_max: limits.parameters_max,
        multiply_adds: model.config.multiply_adds(),
        multiply_adds_max: limits.multiply_adds_max,
        folder_bytes: model.folder_bytes,
        folder_bytes_max: limits.file_bytes_max,
        weights_digest: model.weights_digest,
        scored,
        known: None,
    })
}

fn score(model: &LoadedModel, benchmark: &Benchmark, data: &Path) -> Result<Scored, Failure> {
    let data = TestSet::load(benchmark, data).map_err(unreadable)?;
    let report = evaluate_model(benchmark, model, &data, Options::default());
    match (&report.outcome, report.metrics) {
        (Outcome::Scored { score, .. }, Some(metrics)) => {
            Ok(scored(benchmark.metric, *score, &metrics))
        }
        (Outcome::Invalid { code, place }, _) => {
            let message = report.message.clone().unwrap_or_default();
            Err(invalid(&Fault::new(code.as_str(), place.as_str(), message)))
        }
        _ => Err(Failure::bug("an evaluation is scored or invalid")),
    }
}

fn scored(metric: Metric, score: Score, metrics: &Metrics) -> Scored {
    let values = metrics.values().into_iter();
    Scored {
        examples: metrics.examples(),
        metric,
        score,
        metrics: values
            .map(|(metric, value)| (metric.name(), value))
            .collect(),
    }
}

/// A fault, said as every evaluator will find it.
fn invalid(fault: &Fault) -> Failure {
    let message = format!(
        "an evaluator will call this invalid ({} at {}): {}",
        fault.code, fault.place, fault.message
    );
    let next = "mend it and check again; docs/model-folder.md has every rule";
    Failure::new(fault.code.as_str(), message, next).exit(Exit::Rejected)
}

fn unreadable(reason: evaluator::NoVerdict) -> Failure {
    let next = "check the path; the data must be a data-set folder of the bounty's widths";
    match &reason {
        evaluator::NoVerdict::TestSet(fault) if fault.code.as_str() == "no_manifest" => {
            Failure::new("no_manifest", reason, next).exit(Exit::NotFound)
        }
        _ => Failure::new("no_verdict", reason, next),
    }
}

impl Checked {
    /// Prints it for people, to stderr or, if that is all that was asked, to stdout.
    pub fn text(&self) -> String {
        let row = |what: &str, found: u64, most: u64| {
            vec![what.to_owned(), found.to_string(), format!("of {most}")]
        };
        let mut rows = vec![
            row("parameters", self.parameters, self.parameters_max),
            row(
                "multiply-adds an example",
                self.multiply_adds,
                self.multiply_adds_max,
            ),
            row(
                "bytes of the folder",
                self.folder_bytes,
                self.folder_bytes_max,
            ),
        ];
        if let Some(scored) = &self.scored {
            for (name, value) in &scored.metrics {
                let note = match *name == scored.metric.name() {
                    true => "what the bounty measures",
                    false => "",
                };
                rows.push(vec![(*name).into(), format!("{value:.6}"), note.into()]);
            }
            rows.push(vec![
                "score".into(),
                scored.score.to_string(),
                format!("on these {} examples", scored.examples),
            ]);
        }
        let table = out::table(&[], &[1], rows);
        format!(
            "valid: every tensor is there, finite, and within the limits\n{table}\nweights digest {}",
            self.weights_digest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::benchmark::{ARITHMETIC_VERSION, ModelLimits, Task};

    fn benchmark() -> Benchmark {
        Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task: Task::Classification { classes: 2 },
            inputs: 2,
            metric: Metric::Accuracy,
            examples_max: 1,
            limits: ModelLimits {
                parameters_max: 100,
                file_bytes_max: 1 << 20,
                multiply_adds_max: 100,
            },
        }
    }

    #[test]
    fn what_is_invalid_when_submitted_is_so_when_it_is_registered() {
        let dir = tempfile::tempdir().unwrap();
        let config = models::MlpConfig::new(2, &[], 2).unwrap();
        let weights = models::Weights::generate(&config, |spec| vec![0.25; spec.len()]).unwrap();
        let mut weights = weights.to_safetensors();
        let last = weights.len() - 4;
        weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        for (file, bytes, code) in [
            ("config.json", config.to_json(), "file_missing"),
            ("model.safetensors", weights, "weight_not_finite"),
            ("config.json", b"{".to_vec(), "config_form"),
        ] {
            std::fs::write(dir.path().join(file), bytes).unwrap();
            let submitted = check(dir.path(), &benchmark(), None).err().unwrap();
            let registered = crate::model::load_any(dir.path()).err().unwrap();
            assert_eq!(
                (submitted.code.as_str(), submitted.exit),
                (code, Exit::Rejected)
            );
            assert_eq!(
                (registered.code, registered.exit),
                (submitted.code, submitted.exit)
            );
        }
    }

    #[test]
    fn a_fault_has_the_evaluators_code_and_place() {
        let benchmark = benchmark();
        let dir = tempfile::tempdir().unwrap();
        let code = || check(dir.path(), &benchmark, None).err().unwrap().code;
        assert_eq!(code(), "file_missing");
        std::fs::write(dir.path().join(".gitattributes"), "").unwrap();
        assert_eq!(code(), "file_unexpected");
        let data = TestSet::load(&benchmark, dir.path()).map_err(unreadable);
        let failure = data.err().unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.exit),
            ("no_manifest", Exit::NotFound)
        );
    }
}
