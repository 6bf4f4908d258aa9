//! What a bench is asked for, how it takes the time, and how it tells it: a line for people, or one JSON object a line.

use repro::paths::{Settings, with};
use std::time::Instant;

/// The words of the command line: `--threads 2`, `--runs 5`, `--only NAME`, `--json`.
#[allow(dead_code)] // Each bench uses some of it.
pub struct Request {
    /// Threads, the calling one included.
    pub threads: usize,
    /// Runs of each work; the median is told.
    pub runs: usize,
    /// Whether the result is JSON.
    pub is_json: bool,
    only: Option<String>,
}

#[allow(dead_code)]
impl Request {
    /// Reads the command line; cargo's own `--bench` is passed over.
    pub fn read(runs: usize) -> Self {
        let after = |name: &str| std::env::args().skip_while(|a| a != name).nth(1);
        let number = |name: &str, default| {
            after(name).map_or(default, |text| text.parse().expect("a whole number"))
        };
        Self {
            threads: number("--threads", 1),
            runs: number("--runs", runs),
            is_json: std::env::args().any(|a| a == "--json"),
            only: after("--only"),
        }
    }

    /// Whether this work is asked for.
    pub fn wants(&self, work: &str) -> bool {
        self.only.as_ref().is_none_or(|only| work.starts_with(only))
    }

    /// Runs a job with the threads asked for.
    pub fn run<R>(&self, job: impl FnOnce() -> R) -> R {
        with(Settings::current().with_threads(self.threads), job)
    }

    /// Takes the time of a work and tells it: `amount` of `unit` a call.
    pub fn measure(&self, work: &str, unit: &str, amount: f64, run_min_s: f64, f: impl FnMut()) {
        if !self.wants(work) {
            return;
        }
        let times = times(self.runs, run_min_s, f);
        let (median, least, most) = (times[times.len() / 2], times[0], times[times.len() - 1]);
        if self.is_json {
            let seconds =
                format!(", \"median_s\": {median}, \"min_s\": {least}, \"max_s\": {most}");
            self.tell_json(work, unit, amount / median, &seconds);
        } else {
            self.tell(work, unit, amount / median);
            let [median, least, most] = [median, least, most].map(|s| s * 1e3);
            println!("    median {median:.3} ms ({least:.3} to {most:.3})");
        }
    }

    /// Tells a figure.
    pub fn tell(&self, work: &str, unit: &str, rate: f64) {
        if self.is_json {
            self.tell_json(work, unit, rate, "");
        } else {
            let (threads, path) = (self.threads, Settings::current().path.name());
            println!("{work}: {rate:.2} {unit}, {threads} threads, {path}");
        }
    }

    /// Tells a figure and what belongs to it, each with a comma before it, as JSON.
    pub fn tell_json(&self, work: &str, unit: &str, rate: f64, rest: &str) {
        let (threads, path) = (self.threads, Settings::current().path.name());
        println!(
            "{{\"work\": \"{work}\", \"unit\": \"{unit}\", \"threads\": {threads}, \"path\": \"{path}\", \
             \"rate\": {rate}{rest}}}"
        );
    }
}

/// Seconds a call, sorted, of so many runs after one that is not counted; a run repeats until `run_min_s` is spent.
pub fn times(runs: usize, run_min_s: f64, mut f: impl FnMut()) -> Vec<f64> {
    f();
    let mut times: Vec<f64> = (0..runs.max(1))
        .map(|_| {
            let start = Instant::now();
            let mut calls = 0;
            loop {
                f();
                calls += 1;
                let spent = start.elapsed().as_secs_f64();
                if spent >= run_min_s {
                    return spent / f64::from(calls);
                }
            }
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}
