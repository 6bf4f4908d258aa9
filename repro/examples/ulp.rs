//! The largest error of each elementary function: `cargo run --release -p repro --example ulp -- [STRIDE]`, over
//! every STRIDE-th bit pattern; 1 is every binary32 number there is, and takes minutes a function.

#[path = "../tests/support/ulp.rs"]
mod ulp;

use repro::kernels::elementary::Function;

fn main() {
    let stride = std::env::args()
        .nth(1)
        .map_or(1009, |text| text.parse().expect("a number"));
    for function in Function::ALL {
        let (error, at) = ulp::worst(function, 0, stride);
        println!("{:<10} {error:.3} ulp at {at:e}", format!("{function:?}"));
    }
}
