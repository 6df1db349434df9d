//! Column types by the names that Athena's catalog uses (Hive's spelling), and back.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// The catalog's name of a type: `string`, `bigint`, `decimal(38,18)`, `array<string>`.
#[must_use]
pub fn catalog_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "int".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float16 | DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Binary
        | DataType::BinaryView
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_) => "binary".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array<{}>", catalog_type(item.data_type()))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => format!(
                "map<{},{}>",
                catalog_type(pair[0].data_type()),
                catalog_type(pair[1].data_type())
            ),
            _ => "string".to_owned(),
        },
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{}:{}", field.name(), catalog_type(field.data_type())));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        DataType::Dictionary(_, value) => catalog_type(value),
        _ => "string".to_owned(),
    }
}

/// The Arrow type a query reads a catalogued column as; `None` for a name that the catalog never writes.
#[must_use]
pub fn arrow_type(name: &str) -> Option<DataType> {
    let inside = |start: &str, end: char| name.strip_prefix(start)?.strip_suffix(end);
    Some(match name {
        "string" => DataType::Utf8View,
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "int" => DataType::Int32,
        "bigint" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "binary" => DataType::BinaryView,
        _ => {
            if let Some(inner) = inside("decimal(", ')') {
                let (precision, scale) = inner.split_once(',')?;
                return Some(DataType::Decimal128(
                    precision.parse().ok()?,
                    scale.parse().ok()?,
                ));
            }
            if let Some(inner) = inside("array<", '>') {
                let item = Field::new("element", arrow_type(inner)?, true);
                return Some(DataType::List(Arc::new(item)));
            }
            if let Some(inner) = inside("map<", '>') {
                let parts = split(inner);
                let [key, value] = parts.as_slice() else {
                    return None;
                };
                return Some(map_of(arrow_type(key)?, arrow_type(value)?));
            }
            let fields = split(inside("struct<", '>')?).into_iter().map(|field| {
                let (name, data_type) = field.split_once(':')?;
                Some(Field::new(name, arrow_type(data_type)?, true))
            });
            DataType::Struct(Fields::from(fields.collect::<Option<Vec<_>>>()?))
        }
    })
}

fn map_of(key: DataType, value: DataType) -> DataType {
    let pair = DataType::Struct(Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]));
    DataType::Map(Arc::new(Field::new("key_value", pair, false)), false)
}

/// Splits at commas that stand outside of brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The narrowest type that holds every value of both without a change; text where there is none.
#[must_use]
pub fn widened(a: &str, b: &str) -> String {
    const WHOLE: [&str; 4] = ["tinyint", "smallint", "int", "bigint"];
    let rank = |name: &str| WHOLE.iter().position(|whole| *whole == name);
    let either = |x: &str, y: &str| (a == x && b == y) || (a == y && b == x);
    if a == b {
        return a.to_owned();
    }
    if let (Some(a_rank), Some(b_rank)) = (rank(a), rank(b)) {
        return WHOLE[a_rank.max(b_rank)].to_owned();
    }
    if either("float", "double") {
        return "double".to_owned();
    }
    // A double holds every integer up to 53 bits.
    let narrow = |name: &str| rank(name).is_some_and(|rank| rank < 3);
    if (narrow(a) && b == "double") || (narrow(b) && a == "double") {
        return "double".to_owned();
    }
    if let (Some(DataType::Decimal128(p1, s1)), Some(DataType::Decimal128(p2, s2))) =
        (arrow_type(a), arrow_type(b))
    {
        let scale = s1.max(s2);
        let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
        let precision = whole + i16::from(scale);
        if precision <= 38 {
            return format!("decimal({precision},{scale})");
        }
    }
    "string".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_as_itself() {
        for name in [
            "string",
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "date",
            "timestamp",
            "binary",
            "decimal(38,18)",
            "array<bigint>",
            "map<string,array<decimal(10,2)>>",
            "struct<a:string,b:struct<c:int,d:map<string,string>>>",
        ] {
            let data_type = arrow_type(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(catalog_type(&data_type), name);
        }
        assert_eq!(arrow_type("varchar"), None);
        assert_eq!(arrow_type("struct<a>"), None);
    }

    #[test]
    fn a_type_is_widened_only_where_no_value_changes() {
        for (a, b, both) in [
            ("int", "bigint", "bigint"),
            ("bigint", "tinyint", "bigint"),
            ("float", "double", "double"),
            ("int", "double", "double"),
            ("bigint", "double", "string"),
            ("decimal(10,2)", "decimal(12,4)", "decimal(12,4)"),
            ("decimal(38,0)", "decimal(38,18)", "string"),
            ("string", "bigint", "string"),
            ("date", "timestamp", "string"),
        ] {
            assert_eq!(widened(a, b), both, "{a} {b}");
            assert_eq!(widened(b, a), both, "{b} {a}");
        }
    }
}
