//! Rust's matrix crates, called on row-major matrices.

/// `out = a · b` by the crate `gemm`, of lengths `[m, k, n]`.
pub fn gemm([m, k, n]: [usize; 3], a: &[f32], b: &[f32], out: &mut [f32], threads: usize) {
    assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n);
    let parallelism = match threads {
        1 => gemm::Parallelism::None,
        more => gemm::Parallelism::Rayon(more),
    };
    // SAFETY: three row-major matrices of these lengths.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            1,
            n as isize,
            0.0f32,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The same by the crate `matrixmultiply`, whose threads the environment sets.
pub fn matrixmultiply([m, k, n]: [usize; 3], a: &[f32], b: &[f32], out: &mut [f32]) {
    assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n);
    let (columns, inner) = (n as isize, k as isize);
    // SAFETY: three row-major matrices of these lengths.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            inner,
            1,
            b.as_ptr(),
            columns,
            1,
            0.0,
            out.as_mut_ptr(),
            columns,
            1,
        );
    }
}
