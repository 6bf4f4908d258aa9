//! Trains the example CNN for one epoch on Fashion-MNIST, at one thread and at two, and prints the accuracy on the
//! 10,000 test images, the digest of the weights and the time of each.
//!
//! ```text
//! cargo run --release -p miner --example fashion [recipe.toml]
//! ```
//!
//! The four files are looked for in `fashion-mnist` of the shared data (`$LODE_SHARED/data`, else `../shared/data`).
//! Fails if the two digests differ, or if the example recipe reaches less than 0.86.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::GzDecoder;
use miner::recipe::CNN_EXAMPLE;
use miner::{Fitted, Recipe, Targets, fit};
use ndarray::{Array2, ArrayView2, Axis};
use protocol::Digest;
use repro::paths::{self, Settings};
use repro::{Repro, ReproDevice};

const PIXELS: usize = 784;
const ACCURACY_MIN: f64 = 0.86;

type Images = (Array2<f32>, Vec<u32>);

fn main() -> Result<(), Box<dyn Error>> {
    let recipe = match std::env::args_os().nth(1) {
        Some(path) => Recipe::from_toml(&fs::read(path)?)?,
        None => Recipe::parse(CNN_EXAMPLE)?,
    };
    let folder = folder();
    let train = images(&folder, "train", 60_000)?;
    let test = images(&folder, "t10k", 10_000)?;
    let mut digests = Vec::new();
    for threads in [1, 2] {
        let settings = Settings::current().with_threads(threads);
        let (fitted, accuracy) = paths::with(settings, || run(&recipe, &train, &test, threads))?;
        let digest = Digest(fitted.weights.digest()).to_string();
        println!("{threads} thread(s): accuracy {accuracy:.4}, weights digest {digest}");
        if accuracy < ACCURACY_MIN {
            return Err(format!("the accuracy is below {ACCURACY_MIN}").into());
        }
        digests.push(digest);
    }
    if digests[0] != digests[1] {
        return Err("the digests differ".into());
    }
    println!("the same digest at one thread and at two");
    Ok(())
}

fn run(
    recipe: &Recipe,
    train: &Images,
    test: &Images,
    threads: usize,
) -> Result<(Fitted, f64), Box<dyn Error>> {
    let start = Instant::now();
    let targets = Targets::Classes {
        labels: &train.1,
        classes: 10,
    };
    let fitted = fit(recipe, train.0.view(), targets, None, &mut |progress| {
        if progress.step % 100 == 0 {
            let seconds = start.elapsed().as_secs();
            eprintln!(
                "  step {} of {}, loss {:.4}, {seconds} s",
                progress.step, progress.steps, progress.loss
            );
        }
    })?;
    let trained = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let accuracy = accuracy(&fitted, test)?;
    let tested = start.elapsed().as_secs_f64();
    println!("{threads} thread(s): trained in {trained:.1} s, tested in {tested:.1} s");
    Ok((fitted, accuracy))
}

fn accuracy(fitted: &Fitted, (inputs, labels): &Images) -> Result<f64, Box<dyn Error>> {
    use burn::tensor::{Tensor, TensorData};
    let model = fitted.config.init::<Repro>(&fitted.weights, &ReproDevice)?;
    let logits = |rows: ArrayView2<'_, f32>| -> Result<Vec<i32>, Box<dyn Error>> {
        let values: Vec<f32> = rows.iter().copied().collect();
        let data = TensorData::new(values, [rows.nrows(), rows.ncols()]);
        let input = Tensor::from_data(data, &ReproDevice);
        let classes = model.forward(input).argmax(1).into_data();
        Ok(classes.iter::<i32>().collect())
    };
    let mut right = 0;
    for (rows, labels) in inputs
        .axis_chunks_iter(Axis(0), 256)
        .zip(labels.chunks(256))
    {
        let found = logits(rows)?;
        right += found
            .iter()
            .zip(labels)
            .filter(|&(&a, &b)| a as u32 == b)
            .count();
    }
    Ok(right as f64 / labels.len() as f64)
}

fn folder() -> PathBuf {
    std::env::var_os("LODE_SHARED")
        .map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
            PathBuf::from,
        )
        .join("data/fashion-mnist")
}

/// Images and labels of one part, the pixels divided by 255.
fn images(folder: &Path, part: &str, count: usize) -> Result<Images, Box<dyn Error>> {
    let pixels = idx(
        &folder.join(format!("{part}-images-idx3-ubyte.gz")),
        [0x803, count as u32, 28, 28],
    )?;
    let labels = idx(
        &folder.join(format!("{part}-labels-idx1-ubyte.gz")),
        [0x801, count as u32],
    )?;
    let inputs = pixels.iter().map(|&x| f32::from(x) / 255.0).collect();
    Ok((
        Array2::from_shape_vec((count, PIXELS), inputs)?,
        labels.into_iter().map(u32::from).collect(),
    ))
}

/// The bytes behind the head of a gzipped IDX file, which must be this one: magic number and lengths.
fn idx<const N: usize>(path: &Path, head: [u32; N]) -> Result<Vec<u8>, Box<dyn Error>> {
    let bytes_max: u64 =
        4 * N as u64 + head[1..].iter().map(|&len| u64::from(len)).product::<u64>();
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(BufReader::new(file))
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    let expected: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
    if bytes.len() as u64 != bytes_max || !bytes.starts_with(&expected) {
        return Err(format!("{} is not the file that is expected", path.display()).into());
    }
    Ok(bytes.split_off(4 * N))
}
