//! A blob of 1 GiB up to a node and down again over loopback, and what the node's
//! memory does meanwhile; then what an idle node costs.
//!
//! The node is a process of its own. Beside its figures stands what the disk
//! does alone: the same bytes written to a file and synced, since an upload is
//! answered only when it is on the disk.
//!
//! `cargo bench --bench blobs`

#![allow(clippy::disallowed_methods)] // A bench reads the clock.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;
use protocol::record::BlobRef;

const SIZE: usize = 1 << 30;
const RUNS: usize = 3;

fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut child, client) = start(dir.path());
    let pid = child.id();
    let idle_kb = memory_kb(pid, "VmRSS");
    let mut piece = vec![0_u8; 8 << 20];
    for run in 1..=RUNS {
        let path = dir.path().join("blob");
        let disk = write(&path, &mut piece, run as u64);
        let source = File::open(&path).expect("a file");
        let blob = client::blob_ref_of(&source).expect("readable");
        let up = upload(&client, &path, blob);
        let down = download(&client, blob);
        println!(
            "run {run}: disk alone {:.0} MB/s, up {:.0} MB/s, down {:.0} MB/s, checked against the hash",
            rate(disk),
            rate(up),
            rate(down)
        );
        fs::remove_file(&path).expect("a file");
        let held = dir.path().join(format!("node/blobs/blobs/{}", blob.id));
        fs::remove_file(held).expect("a file");
    }
    let peak_kb = memory_kb(pid, "VmHWM");
    println!(
        "node's memory: {} MB idle, {} MB at its peak, {} MB above",
        idle_kb / 1024,
        peak_kb / 1024,
        (peak_kb - idle_kb) / 1024
    );
    let (before, begin) = (cpu_ticks(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(20));
    // A tick is a hundredth of a second.
    let used = (cpu_ticks(pid) - before) as f64 / 100.0 / begin.elapsed().as_secs_f64();
    println!(
        "idle for 20 s: {:.2} % of a core, {} MB",
        used * 100.0,
        memory_kb(pid, "VmRSS") / 1024
    );
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

fn start(dir: &Path) -> (Child, Client) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lode"))
        .args(["node", "--dev", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.join("node"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a node");
    let stdout = child.stdout.take().expect("piped");
    let mut url = String::new();
    BufReader::new(stdout).read_line(&mut url).expect("a line");
    let client = Client::new(url.trim()).expect("an address");
    client.status().expect("a node");
    (child, client)
}

fn rate(took: Duration) -> f64 {
    SIZE as f64 / 1e6 / took.as_secs_f64()
}

/// Writes fresh bytes and syncs them.
fn write(path: &Path, piece: &mut [u8], run: u64) -> Duration {
    let mut reader = blake3::Hasher::new()
        .update(&run.to_le_bytes())
        .finalize_xof();
    let mut file = File::create(path).expect("a file");
    let mut took = Duration::ZERO;
    for _ in 0..SIZE / piece.len() {
        reader.fill(piece);
        let begin = Instant::now();
        file.write_all(piece).expect("room");
        took += begin.elapsed();
    }
    let begin = Instant::now();
    file.sync_all().expect("synced");
    took + begin.elapsed()
}

fn upload(client: &Client, path: &Path, blob: BlobRef) -> Duration {
    let mut source = File::open(path).expect("a file");
    let begin = Instant::now();
    client.upload(&mut source, blob, |_, _| {}).expect("up");
    begin.elapsed()
}

fn download(client: &Client, blob: BlobRef) -> Duration {
    let begin = Instant::now();
    client
        .download_to(blob, &mut std::io::sink(), |_, _| {})
        .expect("down");
    begin.elapsed()
}

fn memory_kb(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|text| text.parse().ok()).expect("a number")
}

fn cpu_ticks(pid: u32) -> u64 {
    let mut stat = String::new();
    let mut file = File::open(format!("/proc/{pid}/stat")).expect("Linux");
    file.read_to_string(&mut stat).expect("Linux");
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .expect("fields")
        .split(' ')
        .collect();
    let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}
