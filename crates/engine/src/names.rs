//! What Trino calls the types of columns.

use arrow::datatypes::{DataType, TimeUnit};

/// Trino's name of a type.
#[must_use]
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::LargeUtf8 => "json".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Null => "unknown".to_owned(),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            format!(
                "timestamp({digits}){}",
                if zone.is_some() {
                    " with time zone"
                } else {
                    ""
                }
            )
        }
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision},{scale})")
        }
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "varbinary".to_owned(),
        DataType::List(field) | DataType::LargeList(field) => {
            format!("array({})", type_name(field.data_type()))
        }
        DataType::Dictionary(_, value) => type_name(value),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let [key, value] = [0, 1].map(|index: usize| type_name(fields[index].data_type()));
                format!("map({key}, {value})")
            }
            _ => "map".to_owned(),
        },
        DataType::Struct(fields) => {
            let fields = fields.iter().enumerate().map(|(index, field)| {
                let of = type_name(field.data_type());
                if *field.name() == format!("field{index}") {
                    of
                } else {
                    format!("{} {of}", field.name())
                }
            });
            format!("row({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string().to_lowercase(),
    }
}
