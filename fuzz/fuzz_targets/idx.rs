//! IDX files, plain and gzip: what is read is written as the same array; a table has its sizes.
#![no_main]

use datasets::IdxArray;
use datasets::idx::{IdxKind, to_table};
use datasets::manifest::IdxSpec;
use libfuzzer_sys::fuzz_target;

/// More than a unit of 64 KiB holds plain, and little enough for gzip to stop at.
const CELLS_MAX: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<3>() else {
        return;
    };
    let at = usize::from(head[0]).min(rest.len());
    let (labels, images) = rest.split_at(at);
    let Ok(labels) = read(labels, IdxKind::Labels) else {
        let _ = read(images, IdxKind::Images);
        return;
    };
    let Ok(images) = read(images, IdxKind::Images) else {
        return;
    };
    let spec = IdxSpec {
        images: "images".to_owned(),
        labels: "labels".to_owned(),
        inputs: u32::try_from(images.row_bytes()).expect("within the limit on cells"),
        classes: u32::from(head[1].min(254)) + 2,
        divide_inputs_by: u32::from(head[2]) + 1,
    };
    if let Ok(table) = to_table(&images, &labels, &spec) {
        assert_eq!(table.inputs.dim(), (images.rows(), images.row_bytes()));
        assert_eq!(table.labels.len(), labels.rows());
        assert!(table.inputs.iter().all(|value| value.is_finite()));
    }
});

fn read(file: &[u8], kind: IdxKind) -> Result<IdxArray, datasets::IdxError> {
    let array = IdxArray::read(file, kind, CELLS_MAX)?;
    let cells: u64 = array.sizes().iter().map(|&size| u64::from(size)).product();
    assert_eq!(array.bytes().len() as u64, cells);
    assert!(cells <= CELLS_MAX);
    let again =
        IdxArray::read(&array.to_bytes(), kind, CELLS_MAX).expect("what is written is read");
    assert_eq!(again, array);
    Ok(array)
}
