//! The kernels: every operation that rounds, over plain slices.
//!
//! A kernel takes slices and shapes and returns [`memory::Numbers`] or writes a slice. It knows no burn type and
//! no device. It is handed [`paths::Settings`], which name the instructions and the threads to use; those, and what threads and memory
//! the process keeps ([`pool`], [`memory`]), never change a bit of the result. Each kernel's doc has
//! **Shapes** and **Order**, and that text is the definition.
//!
//! Shared by all of them: IEEE-754 binary32, round to nearest even, subnormals kept. Inputs are read
//! by logical (row-major) index, never by memory layout. A NaN result is *a* NaN: its sign and
//! payload are outside the definition, and no score is ever taken from one.

pub mod attention;
pub mod convolution;
pub mod copy;
pub mod descent;
pub mod elementary;
pub mod elementwise;
pub mod fma;
pub mod mask;
pub mod memory;
pub mod norm;
pub mod order_free;
pub mod paths;
pub mod pool;
pub mod pooling;
pub mod product;
pub mod random;
pub mod rare;
pub mod scan;
pub mod scatter;
pub mod simd;
pub mod softmax;
pub(crate) mod stretches;
pub mod sum;
pub mod unary;
pub mod view;
pub mod walk;

/// Memory cut into parts of one length that different tasks write.
pub(crate) struct Parts<'a, T = f32> {
    start: *mut T,
    len: usize,
    part: usize,
    _memory: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: `get` hands out a part to one task only, by its caller's promise.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// Parts of `part` numbers, the last maybe shorter.
    pub(crate) fn new(memory: &'a mut [T], part: usize) -> Self {
        Self {
            start: memory.as_mut_ptr(),
            len: memory.len(),
            part: part.max(1),
            _memory: std::marker::PhantomData,
        }
    }

    /// Number of parts.
    pub(crate) fn count(&self) -> usize {
        self.len.div_ceil(self.part)
    }

    /// A part.
    ///
    /// # Safety
    ///
    /// Nobody else has this part.
    ///
    /// # Panics
    ///
    /// If there is no such part.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn get(&self, index: usize) -> &mut [T] {
        assert!(index < self.count(), "repro: no part {index}");
        let at = index * self.part;
        // SAFETY: inside the memory, and nobody else's by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), self.part.min(self.len - at)) }
    }
}
