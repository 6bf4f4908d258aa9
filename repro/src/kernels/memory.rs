//! Memory for results, used again.
//!
//! A training step frees and takes the same few lengths thousands of times. From the system, a large block comes as
//! pages that are touched for the first time, which costs more than the arithmetic that fills them. So a block that
//! is given back waits here for the next of its size: small ones with the thread, large ones with the process,
//! up to [`HELD_MAX`], or less where the process may have only so much memory.
//!
//! **Order.** None: what memory held before never reaches a result, because whoever takes [`Numbers::unset`] writes
//! every number.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Bytes of large blocks that the process keeps for later. A step of training an encoder of 23 million weights gives back
/// more than a gigabyte; what is kept was in use at once, so the process never grows by keeping it.
pub const HELD_MAX: usize = 2 << 30;
/// Numbers up to which a block is small: it stays with its thread.
const SMALL: usize = 1 << 14;
/// Small blocks of one size that a thread keeps.
const KEPT: usize = 16;
/// Blocks from here on begin at the border of a huge page, and ask for such.
const HUGE_PAGE: usize = 2 << 20;
/// Blocks begin at the border of a cache line: so many bytes, and so many numbers.
const LINE_BYTES: usize = 64;
pub(super) const LINE: usize = LINE_BYTES / size_of::<f32>();

/// A row of numbers in memory that is used again.
///
/// It begins at the border of a cache line.
pub struct Numbers {
    block: Block,
    len: usize,
}

impl Numbers {
    /// `len` numbers that mean nothing; every one must be written before it is read as a result.
    pub fn unset(len: usize) -> Self {
        Self {
            block: Block::take(len),
            len,
        }
    }

    /// `len` times +0.0.
    pub fn zeros(len: usize) -> Self {
        let mut numbers = Self::unset(len);
        numbers.fill(0.0);
        numbers
    }
}

impl Deref for Numbers {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        // SAFETY: a block has room for `len` numbers, all of which were set to zero when it was made.
        unsafe { std::slice::from_raw_parts(self.block.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Numbers {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the block is ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.as_ptr(), self.len) }
    }
}

impl From<&[f32]> for Numbers {
    fn from(numbers: &[f32]) -> Self {
        let mut out = Self::unset(numbers.len());
        out.copy_from_slice(numbers);
        out
    }
}

impl Clone for Numbers {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.block.give_back();
    }
}

/// Memory for `room` numbers; the length of its size.
#[derive(Clone, Copy)]
struct Block {
    start: NonNull<f32>,
    room: usize,
}

// SAFETY: a block is memory of the process, owned by whoever holds it.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

/// The sizes of blocks: eight to a doubling, from a line on. Number and room of the least that holds `len`.
fn size(len: usize) -> (usize, usize) {
    let lines = len.div_ceil(LINE).max(1);
    let doubling = lines.ilog2().saturating_sub(3);
    let room = lines.next_multiple_of(1 << doubling);
    // A number that rounds up to the next doubling has that one's first place.
    let doubling = room.ilog2().saturating_sub(3);
    let number = (doubling as usize) * 8 + (room >> doubling);
    (number, room * LINE)
}

impl Block {
    fn take(len: usize) -> Self {
        let (number, room) = size(len);
        let kept = if room <= SMALL {
            SHELF
                .try_with(|shelf| shelf.borrow_mut().take(number))
                .ok()
                .flatten()
        } else {
            LARGE
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(number)
        };
        kept.unwrap_or_else(|| Self::new(room))
    }

    /// From the system; if it has none, once more without what is kept here.
    fn new(room: usize) -> Self {
        let layout = Self::layout(room);
        // SAFETY: the layout is not empty.
        let start = || NonNull::new(unsafe { alloc(layout) }.cast::<f32>());
        let start = start().or_else(|| {
            LARGE.lock().unwrap_or_else(PoisonError::into_inner).clear();
            start()
        });
        let Some(start) = start else {
            handle_alloc_error(layout)
        };
        if layout.size() >= HUGE_PAGE {
            ask_for_huge_pages(start.cast(), layout.size());
        }
        // SAFETY: the block is new and has this room.
        unsafe { start.write_bytes(0, room) };
        Self { start, room }
    }

    fn layout(room: usize) -> Layout {
        let bytes = room
            .checked_mul(size_of::<f32>())
            .expect("repro: more numbers than memory");
        let align = if bytes < HUGE_PAGE {
            LINE_BYTES
        } else {
            HUGE_PAGE
        };
        Layout::from_size_align(bytes, align).expect("repro: more numbers than memory")
    }

    /// To the shelf it belongs on, or to the system.
    fn give_back(self) {
        let (number, _) = size(self.room);
        let is_kept = if self.room <= SMALL {
            SHELF
                .try_with(|shelf| shelf.borrow_mut().keep(number, self, KEPT, usize::MAX))
                .unwrap_or(false)
        } else {
            LARGE.lock().unwrap_or_else(PoisonError::into_inner).keep(
                number,
                self,
                usize::MAX,
                held_max(),
            )
        };
        if !is_kept {
            self.free();
        }
    }

    fn free(self) {
        // SAFETY: the block came from the system with this layout, and its owner gives it up.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.room)) }
    }
}

/// Bytes of large blocks that this process keeps: an eighth of the memory it may have, at most [`HELD_MAX`].
fn held_max() -> usize {
    static HELD: OnceLock<usize> = OnceLock::new();
    *HELD.get_or_init(|| (memory_limit() / 8).min(HELD_MAX))
}

/// Bytes of memory that the system lets this process have.
#[cfg(target_os = "linux")]
fn memory_limit() -> usize {
    use rustix::process::{Resource, getrlimit};
    [Resource::As, Resource::Data]
        .into_iter()
        .filter_map(|resource| usize::try_from(getrlimit(resource).current?).ok())
        .min()
        .unwrap_or(usize::MAX)
}

#[cfg(not(target_os = "linux"))]
fn memory_limit() -> usize {
    usize::MAX
}

/// Asks the system to map a large block by pages of two megabytes, without which a matrix of some thousand rows touches
/// more pages than the processor can remember. A refusal does not matter.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(start: NonNull<std::ffi::c_void>, bytes: usize) {
    // SAFETY: advice about memory that is ours changes nothing that it holds.
    let _ =
        unsafe { rustix::mm::madvise(start.as_ptr(), bytes, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_start: NonNull<std::ffi::c_void>, _bytes: usize) {}

/// Blocks that wait, by the number of their size.
struct Shelf {
    blocks: Vec<Vec<Block>>,
    held: usize,
}

impl Shelf {
    const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            held: 0,
        }
    }

    fn take(&mut self, number: usize) -> Option<Block> {
        let block = self.blocks.get_mut(number)?.pop()?;
        self.held -= block.room * size_of::<f32>();
        Some(block)
    }

    fn keep(&mut self, number: usize, block: Block, count_max: usize, held_max: usize) -> bool {
        let bytes = block.room * size_of::<f32>();
        if self.held + bytes > held_max {
            return false;
        }
        if self.blocks.len() <= number {
            self.blocks.resize_with(number + 1, Vec::new);
        }
        if self.blocks[number].len() >= count_max {
            return false;
        }
        self.blocks[number].push(block);
        self.held += bytes;
        true
    }

    fn clear(&mut self) {
        self.blocks.drain(..).flatten().for_each(Block::free);
        self.held = 0;
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.clear();
    }
}

thread_local! {
    static SHELF: RefCell<Shelf> = const { RefCell::new(Shelf::new()) };
}

static LARGE: Mutex<Shelf> = Mutex::new(Shelf::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_holds_its_length_and_little_more() {
        let mut before = 0;
        for len in (0..3_000).chain([1 << 14, (1 << 20) + 1, 123_456_789]) {
            let (number, room) = size(len);
            assert!(
                room >= len && room <= (len + len / 8 + 2 * LINE),
                "{len} in {room}"
            );
            assert!(number >= before, "sizes ascend");
            assert_eq!(size(room), (number, room), "a room is its own size");
            before = number;
        }
    }

    #[test]
    fn memory_given_back_is_taken_again_and_small_memory_is_its_threads() {
        for len in [1, 100, 5_000, 100_000] {
            let first = Numbers::unset(len);
            let at = first.as_ptr();
            drop(first);
            let again = Numbers::unset(len);
            assert!(again.as_ptr() == at || len > SMALL, "{len} numbers");
            assert!(at.addr().is_multiple_of(LINE_BYTES));
            assert_eq!(again.len(), len);
        }
    }

    #[test]
    fn zeros_are_zeros_whatever_was_there() {
        for len in [3, 70_000] {
            let mut dirty = Numbers::unset(len);
            dirty.fill(7.0);
            drop(dirty);
            assert!(Numbers::zeros(len).iter().all(|x| x.to_bits() == 0));
        }
    }

    #[test]
    fn a_shelf_keeps_no_more_than_it_may() {
        let mut shelf = Shelf::new();
        let (number, room) = size(100);
        let block = || Block::new(room);
        assert!(shelf.keep(number, block(), 2, usize::MAX));
        assert!(shelf.keep(number, block(), 2, usize::MAX));
        let third = block();
        assert!(!shelf.keep(number, third, 2, usize::MAX));
        assert!(!shelf.keep(number, third, 9, 3 * room * 4 - 1));
        third.free();
        assert_eq!(shelf.held, 2 * room * 4);
        shelf.clear();
        assert!(shelf.take(number).is_none());
    }
}
