//! CSV: lines kept as they are and the table read from them agree; every number is finite.
#![no_main]

use datasets::{CsvSpec, CsvText, LabelKind, Labels, read_csv};
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
        labels: match head[2] {
            classes @ 0..128 => LabelKind::Classes(u32::from(classes % 16) + 2),
            _ => LabelKind::Numbers,
        },
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
    match (&table.labels, spec.labels) {
        (Labels::Classes(labels), LabelKind::Classes(classes)) => {
            assert!(labels.iter().all(|&label| label < classes));
        }
        (Labels::Numbers(labels), LabelKind::Numbers) => {
            assert!(labels.iter().all(|label| label.is_finite()));
        }
        _ => panic!("labels of another kind"),
    }
    let again = read_csv(&text.to_bytes(), &spec).expect("its lines");
    assert_eq!(again, table);
});
