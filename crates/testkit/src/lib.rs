//! What tests of several crates share: second implementations to compare with. A dev-dependency only.

/// Records by csv-core, a parser that is not ours.
#[must_use]
pub fn by_csv_core(mut bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let (mut records, mut record) = (Vec::new(), Vec::new());
    let (mut cell, mut output) = (Vec::new(), [0; 512]);
    loop {
        let (result, read, written) = reader.read_field(bytes, &mut output);
        bytes = &bytes[read..];
        cell.extend_from_slice(&output[..written]);
        match result {
            csv_core::ReadFieldResult::Field { record_end } => {
                record.push(String::from_utf8_lossy(&std::mem::take(&mut cell)).into_owned());
                if record_end {
                    records.push(std::mem::take(&mut record));
                }
            }
            csv_core::ReadFieldResult::End => return records,
            _ => {}
        }
    }
}
