//! CSV: lines kept as they are and the table read from them agree; every number is finite.
#![no_main]

use datasets::{CsvSpec, CsvText, read_csv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((head, bytes)) = data.split_first_chunk::<4>() else {
        return;
    };
    let inputs = u32::from(head[0] % 8) + 1;
    let spec = CsvSpec {
        header: head[1] & 1 == 1,
        label_column: u32::from(head[1] >> 1) % (inputs + 1),
        inputs,
        classes: u32::from(head[2] % 16) + 2,
        divide_inputs_by: u32::from(head[3]) + 1,
    };
    spec.check().expect("within the limits");
    let Ok(table) = read_csv(bytes, &spec) else {
        return;
    };
    let text = CsvText::read(bytes, &spec).expect("a table has lines");
    assert_eq!(text.rows().len(), table.labels.len());
    assert_eq!(table.inputs.dim(), (table.labels.len(), inputs as usize));
    assert!(table.inputs.iter().all(|value| value.is_finite()));
    assert!(table.labels.iter().all(|&label| label < spec.classes));
    let mut lines: Vec<&str> = text.header().into_iter().collect();
    lines.extend(text.rows());
    let again = read_csv(lines.join("\n").as_bytes(), &spec).expect("its lines");
    assert_eq!(again, table);
});
