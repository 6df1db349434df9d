//! Types as a statement writes them. JSON is kept apart from text by Arrow's `LargeUtf8`, which nothing else is here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::{
    common::{Result, not_impl_err, plan_err},
    logical_expr::planner::TypePlanner,
    sql::sqlparser::ast::{ArrayElemTypeDef, DataType as Written, ExactNumberInfo, TimezoneInfo},
};

use crate::functions::maps::map_of;

/// JSON inside of the engine.
pub(crate) const JSON: DataType = DataType::LargeUtf8;

/// Plans the types that DataFusion does not know or means otherwise.
#[derive(Debug)]
pub(crate) struct TrinoTypeNames;

impl TypePlanner for TrinoTypeNames {
    fn plan_type_field(&self, written: &Written) -> Result<Option<FieldRef>> {
        let of = match written {
            Written::Timestamp(..)
            | Written::Decimal(ExactNumberInfo::None)
            | Written::Array(_)
            | Written::Map(..)
            | Written::Struct(..)
            | Written::JSON => planned(written)?,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", of, true))))
    }
}

fn planned(written: &Written) -> Result<DataType> {
    Ok(match written {
        Written::Array(
            ArrayElemTypeDef::AngleBracket(inner)
            | ArrayElemTypeDef::Parenthesis(inner)
            | ArrayElemTypeDef::SquareBracket(inner, None),
        ) => DataType::List(Arc::new(Field::new_list_field(planned(inner)?, true))),
        Written::Map(key, value) => map_of(planned(key)?, planned(value)?),
        Written::Struct(fields, _) => {
            let fields = fields.iter().enumerate().map(|(index, field)| {
                let name = field.field_name.as_ref().map_or_else(
                    || format!("field{index}"),
                    |name| match name.quote_style {
                        Some(_) => name.value.clone(),
                        None => name.value.to_lowercase(),
                    },
                );
                Ok(Field::new(name, planned(&field.field_type)?, true))
            });
            DataType::Struct(fields.collect::<Result<Vec<_>>>()?.into())
        }
        Written::JSON => JSON,
        Written::Varchar(_) | Written::Char(_) | Written::String(_) | Written::Text => {
            DataType::Utf8
        }
        Written::BigInt(_) => DataType::Int64,
        Written::Int(_) | Written::Integer(_) => DataType::Int32,
        Written::SmallInt(_) => DataType::Int16,
        Written::TinyInt(_) => DataType::Int8,
        Written::Double(_) | Written::DoublePrecision => DataType::Float64,
        Written::Real | Written::Float(_) => DataType::Float32,
        Written::Boolean | Written::Bool => DataType::Boolean,
        Written::Date => DataType::Date32,
        Written::Timestamp(digits, TimezoneInfo::None) => DataType::Timestamp(unit(*digits)?, None),
        Written::Timestamp(digits, TimezoneInfo::WithTimeZone) => {
            DataType::Timestamp(unit(*digits)?, Some("UTC".into()))
        }
        Written::Varbinary(_) | Written::Bytea => DataType::Binary,
        Written::Decimal(info) | Written::Dec(info) | Written::Numeric(info) => match info {
            ExactNumberInfo::None => DataType::Decimal128(38, 0),
            ExactNumberInfo::Precision(precision) => DataType::Decimal128(digits(*precision)?, 0),
            ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
                DataType::Decimal128(digits(*precision)?, scale)
            }
        },
        Written::Custom(name, _) if name.to_string().eq_ignore_ascii_case("unknown") => {
            DataType::Null
        }
        Written::Custom(name, _) => return plan_err!("type mismatch: unknown type {name}"),
        other => return not_impl_err!("type {other} is not supported"),
    })
}

/// Trino's bare timestamp has three digits.
fn unit(digits: Option<u64>) -> Result<TimeUnit> {
    Ok(match digits {
        Some(0) => TimeUnit::Second,
        None | Some(3) => TimeUnit::Millisecond,
        Some(6) => TimeUnit::Microsecond,
        Some(9) => TimeUnit::Nanosecond,
        Some(other) => {
            return not_impl_err!("timestamp({other}) is not supported: 0, 3, 6 or 9 digits");
        }
    })
}

fn digits(precision: u64) -> Result<u8> {
    match u8::try_from(precision) {
        Ok(precision @ 1..=38) => Ok(precision),
        _ => not_impl_err!("a decimal of {precision} digits is not supported: 1 to 38"),
    }
}
