//! The state of a training on disk, changed: as it is, and with digests and names put
//! right. What is taken says the same when it is written again, and the training goes on
//! from it to an end.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use libfuzzer_sys::fuzz_target;
use miner::Recipe;
use miner::checkpoint::{self, CHECKPOINT_FILE, Origin};
use miner::fit::{State, Targets, Trainer};
use ndarray::Array2;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

/// Nine or ten rows in batches of four: three steps an epoch.
const RECIPES: [&str; 3] = [
    "[model]\nhidden = [2]\n[train]\nepochs = 3\nbatch_size = 4\nheld_out = 0.1\nseed = 1\n",
    "[model]\nhidden = []\n[train]\nepochs = 2\nbatch_size = 4\nseed = 1\noptimizer = \"sgd\"\nmomentum = 0.9\n",
    "[model]\nhidden = [2]\n[train]\nepochs = 3\nbatch_size = 4\nheld_out = 0.1\npatience = 1\nstandardize = true\nseed = 2\noptimizer = \"sgd\"\n",
];

const LABELS: [u32; 10] = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];

/// The two files of a checkpoint: the note, the state.
type Files = [Vec<u8>; 2];

fuzz_target!(|data: &[u8]| {
    let [recipe, steps, flags, edits @ ..] = data else {
        return;
    };
    let recipes = RECIPES.map(|text| Recipe::parse(text).expect("a recipe"));
    let (number, steps) = (usize::from(*recipe) % 3, steps % 10);
    let recipe = &recipes[number];
    let inputs = inputs();
    let origin = Origin::of(recipe, inputs.view(), targets(), None);
    let mut files = files(recipe, (number, steps), &inputs, &origin);
    let whole = files.clone();
    edit(&mut files, edits);
    let taken = check(recipe, &inputs, &origin, &files);
    // The note may be spelled in another way; the state has one digest.
    assert!(taken || files != whole, "what was written is taken");
    assert!(!taken || files[1] == whole[1], "what was not is not");
    if let Some(files) = mended(&files, &origin, flags & 1 == 1) {
        check(recipe, &inputs, &origin, &files);
    }
});

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((10, 3), |(row, column)| (row * column) as f32)
}

fn targets() -> Targets<'static> {
    Targets::Classes {
        labels: &LABELS,
        classes: 2,
    }
}

fn trainer<'a>(recipe: &'a Recipe, inputs: &'a Array2<f32>) -> Trainer<'a> {
    Trainer::new(recipe, inputs.view(), targets(), None).expect("rows that fit")
}

/// The checkpoint after so many steps, or at the end if that comes first.
fn files(recipe: &Recipe, key: (usize, u8), inputs: &Array2<f32>, origin: &Origin) -> Files {
    static MADE: OnceLock<Mutex<BTreeMap<(usize, u8), Files>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().expect("one thread");
    let make = || {
        let mut trainer = trainer(recipe, inputs);
        for _ in 0..key.1 {
            if !trainer.is_finished() {
                trainer.step().expect("small numbers");
            }
        }
        let dir = lode_fuzz::scratch();
        let state = trainer.state().expect("finite weights");
        checkpoint::write(dir.path(), origin, &state).expect("room");
        read_files(dir.path())
    };
    made.entry(key).or_insert_with(make).clone()
}

fn read_files(dir: &Path) -> Files {
    let note = std::fs::read(dir.join(CHECKPOINT_FILE)).expect("written");
    let names = std::fs::read_dir(dir).expect("a folder");
    let paths = names.map(|entry| entry.expect("an entry").path());
    let mut states = paths.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
    let state = std::fs::read(states.next().expect("a state")).expect("written");
    assert!(states.next().is_none(), "one state");
    [note, state]
}

/// Each edit: which file, a place, how many bytes go, how many come, and these.
fn edit(files: &mut Files, mut edits: &[u8]) {
    while let [which, low, high, gone, come, rest @ ..] = edits {
        let file = &mut files[usize::from(which & 1)];
        let start = usize::from(u16::from_le_bytes([*low, *high])) % (file.len() + 1);
        let end = file.len().min(start + usize::from(gone % 32));
        let come = rest.len().min(usize::from(come % 32));
        file.splice(start..end, rest[..come].iter().copied());
        edits = &rest[come..];
    }
}

/// As `miner::checkpoint` has it.
#[derive(Deserialize, Serialize)]
struct Note {
    format: String,
    origin: Origin,
    step: u64,
    total: String,
    seen: u64,
    best: Option<Best>,
    state: String,
    state_bytes: u64,
    state_blake3: String,
}

#[derive(Deserialize, Serialize)]
struct Best {
    epoch: u64,
    loss: String,
}

#[derive(Deserialize, Serialize)]
struct Signed {
    note: Note,
    blake3: String,
}

/// The files with every digest and name put right, and with the header's length where `all`.
fn mended([note, state]: &Files, origin: &Origin, all: bool) -> Option<Files> {
    let mut signed: Signed = serde_json::from_slice(note).ok()?;
    let mut state = state.clone();
    if all {
        let (_, rest) = state.split_first_chunk::<8>()?;
        // Behind the header's last brace spaces fill it up to a multiple of eight.
        let brace = rest.windows(2).position(|pair| pair == b"}}")? + 2;
        let spaces = rest[brace..].iter().take_while(|byte| **byte == b' ');
        let end = (brace + spaces.count()) as u64;
        state.splice(..8, end.to_le_bytes());
    }
    let note = &mut signed.note;
    note.origin = origin.clone();
    note.state = format!("state-{}.safetensors", note.step);
    note.state_bytes = state.len() as u64;
    note.state_blake3 = blake3::hash(&state).to_hex().to_string();
    let digest = blake3::hash(&serde_json::to_vec(&note).ok()?);
    signed.blake3 = digest.to_hex().to_string();
    Some([serde_json::to_vec(&signed).ok()?, state])
}

/// Reads the files, and goes on from what they hold; whether they were taken.
fn check(recipe: &Recipe, inputs: &Array2<f32>, origin: &Origin, files: &Files) -> bool {
    let [note, state] = files;
    let dir = lode_fuzz::scratch();
    std::fs::write(dir.path().join(CHECKPOINT_FILE), note).expect("room");
    // It may name any step; a name that is none, or another folder's, is not written.
    let named = serde_json::from_slice::<Signed>(note);
    let named = named.map_or(0, |signed| signed.note.step);
    let name = format!("state-{named}.safetensors");
    std::fs::write(dir.path().join(name), state).expect("room");
    let mut trainer = trainer(recipe, inputs);
    let Ok(read) = checkpoint::read(dir.path(), origin, &trainer) else {
        return false;
    };
    let read = read.expect("there is a checkpoint.json");
    let again = |state: &State| {
        let dir = lode_fuzz::scratch();
        checkpoint::write(dir.path(), origin, state).expect("room");
        read_files(dir.path())
    };
    // The state's header may have had another order or spaces: its one form is what is written.
    let written = again(&read);
    let names = names(&written[1]);
    let [then, now] = [files, &written].map(|files| said(files, &names));
    assert_eq!(now, then, "what was read is what was there");
    trainer.restore(read).expect("shapes that were compared");
    let state = trainer.state().expect("weights that were read are finite");
    assert_eq!(again(&state), written);
    while !trainer.is_finished() {
        // Numbers that no training comes to may end it, and are then told.
        if trainer.step().is_err() {
            return true;
        }
    }
    let _ = trainer.finish();
    true
}

/// The tensors of a state.
fn names(state: &[u8]) -> Vec<String> {
    let file = SafeTensors::deserialize(state).expect("it was written");
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

/// The numbers of a note: step, rows seen, bits of the sum; epoch and bits of the best loss.
type Numbers = (u64, u64, Option<u64>, Option<(u64, Option<u64>)>);

/// What two files say, as far as it is these tensors.
fn said([note, state]: &Files, names: &[String]) -> (Numbers, Vec<Vec<u8>>) {
    let bits = |text: &str| u64::from_str_radix(text, 16).ok();
    let Signed { note, .. } = serde_json::from_slice(note).expect("it was read");
    let best = note.best.map(|best| (best.epoch, bits(&best.loss)));
    let file = SafeTensors::deserialize(state).expect("it was read");
    let tensors = names.iter().map(|name| {
        let tensor = file.tensor(name).expect("it was read");
        tensor.data().to_vec()
    });
    let numbers = (note.step, note.seen, bits(&note.total), best);
    (numbers, tensors.collect())
}
