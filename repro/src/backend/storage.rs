//! How numbers become the storage of a tensor.

use crate::kernels::memory::Numbers;
use burn_backend::Bytes;
use burn_std::{AllocationController, AllocationProperty};
use std::mem::MaybeUninit;

/// Numbers that a tensor can own.
pub(crate) trait Storage {
    /// The same memory as bytes.
    fn into_bytes(self) -> Bytes;
}

impl Storage for Vec<f32> {
    fn into_bytes(self) -> Bytes {
        Bytes::from_elems(self)
    }
}

impl Storage for Numbers {
    fn into_bytes(self) -> Bytes {
        let len = size_of_val(&*self);
        // SAFETY: the controller's memory is these numbers, all of them set.
        unsafe { Bytes::from_controller(Box::new(Used(self)), len) }
    }
}

/// Memory that goes back to [`crate::kernels::memory`] with its tensor.
struct Used(Numbers);

impl AllocationController for Used {
    fn alloc_align(&self) -> usize {
        64
    }

    fn property(&self) -> AllocationProperty {
        // Not the allocator's, so that nobody takes it apart into a `Vec`.
        AllocationProperty::Other
    }

    /// A copy, since the allocator that would else make one knows no such alignment.
    fn duplicate(&self) -> Option<Box<dyn AllocationController>> {
        Some(Box::new(Used(self.0.clone())))
    }

    unsafe fn memory_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let bytes = size_of_val(&*self.0);
        // SAFETY: any bytes are valid numbers, and the caller writes nothing unset.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), bytes) }
    }

    fn memory(&self) -> &[MaybeUninit<u8>] {
        // SAFETY: numbers are bytes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(&*self.0)) }
    }
}
