//! How many epochs a second a digits-sized network trains at, for the curious. Not a test: clocks prove nothing.

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let steps = 1797usize.div_ceil(32) * 20;
    let start = std::time::Instant::now();
    let digest = support::train([64, 128, 10], 32, steps);
    let seconds = start.elapsed().as_secs_f64();
    println!("{digest:016x}  {:.1} epochs/s", 20.0 / seconds);
}
