//! Copies of an image in other orders: with its padding, and with the channels of a position side by side.

/// Where an image lies in a field of zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Rows and columns of the image.
    pub image: [usize; 2],
    /// Rows and columns of zeros before it.
    pub before: [usize; 2],
    /// Rows and columns of the field, which may end before the image does.
    pub field: [usize; 2],
}

impl Place {
    /// An image without anything around it.
    pub fn whole(image: [usize; 2]) -> Self {
        Self {
            image,
            before: [0, 0],
            field: image,
        }
    }

    /// Rows and columns of the image that are in the field.
    fn inside(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.image[axis].min(self.field[axis].saturating_sub(self.before[axis])))
    }
}

/// Copies planes to their places in fields, one after the other.
///
/// # Panics
///
/// If `to` is shorter than the fields.
pub(super) fn planes(from: &[f32], place: &Place, to: &mut [f32]) {
    let [rows, columns] = place.inside();
    let image = place.image[0] * place.image[1];
    let field = place.field[0] * place.field[1];
    for (from, to) in from.chunks_exact(image).zip(to.chunks_exact_mut(field)) {
        for row in 0..rows {
            let at = (row + place.before[0]) * place.field[1] + place.before[1];
            let row = &from[row * place.image[1]..][..columns];
            to[at..at + columns].copy_from_slice(row);
        }
    }
}

/// Copies `count` planes, `apart` numbers from each other, into one field whose positions are `pitch` numbers apart, the
/// channels of each side by side.
///
/// # Panics
///
/// If `from` or `to` is shorter than that.
#[inline(always)]
pub(super) fn channels_last(
    from: &[f32],
    apart: usize,
    count: usize,
    place: &Place,
    to: &mut [f32],
    pitch: usize,
) {
    let [rows, columns] = place.inside();
    if rows == 0 || columns == 0 || count == 0 {
        return;
    }
    // An image with nothing around it is one long row.
    let (rows, columns) = if place.image == place.field && place.before == [0, 0] {
        (1, rows * columns)
    } else {
        (rows, columns)
    };
    for row in 0..rows {
        let at = (row + place.before[0]) * place.field[1] + place.before[1];
        let from = &from[row * place.image[1]..];
        let to = &mut to[at * pitch..];
        assert!(
            (count - 1) * apart + columns <= from.len()
                && (columns - 1) * pitch + count <= to.len(),
            "repro: a row reaches outside its image or field"
        );
        let mut channel = 0;
        while channel + 4 <= count {
            // SAFETY: the last number that is read, and the last that is written, were just measured.
            unsafe {
                four(
                    from.as_ptr().add(channel * apart),
                    apart,
                    columns,
                    to.as_mut_ptr().add(channel),
                    pitch,
                );
            }
            channel += 4;
        }
        for channel in channel..count {
            let from = &from[channel * apart..][..columns];
            for (column, &x) in from.iter().enumerate() {
                to[column * pitch + channel] = x;
            }
        }
    }
}

/// Turns four rows of `len` numbers into `len` rows of four.
///
/// # Safety
///
/// `len` numbers can be read from each of four rows, `apart` from each other, and `len` rows of four be written, `pitch`
/// from each other.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn four(from: *const f32, apart: usize, len: usize, to: *mut f32, pitch: usize) {
    let mut column = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while column + 4 <= len {
            let mut rows = [[0.0f32; 4]; 4];
            for row in 0..4 {
                rows[row] = from
                    .add(row * apart + column)
                    .cast::<[f32; 4]>()
                    .read_unaligned();
            }
            for step in 0..4 {
                let turned = [rows[0][step], rows[1][step], rows[2][step], rows[3][step]];
                to.add((column + step) * pitch)
                    .cast::<[f32; 4]>()
                    .write_unaligned(turned);
            }
            column += 4;
        }
        while column < len {
            for row in 0..4 {
                *to.add(column * pitch + row) = *from.add(row * apart + column);
            }
            column += 1;
        }
    }
}
