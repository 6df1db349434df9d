//! What Trino calls without brackets, and what to write where a statement names another engine's.

use datafusion::sql::sqlparser::ast::DataType;

/// Functions that are called without brackets.
pub(crate) const WITHOUT_BRACKETS: &[&str] = &[
    "current_catalog",
    "current_date",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
];

/// Whether Trino has a function of that name, answered here or not.
pub(crate) fn is_function(name: &str) -> bool {
    WITHOUT_BRACKETS.contains(&name) || name.starts_with("st_") || crate::called::is_trinos(name)
}

/// What to write in place of another engine's function.
pub(crate) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "nvl" | "ifnull" => "coalesce(x, y)",
        "isnull" => "x IS NULL",
        "len" | "char_length" | "character_length" => "length(x)",
        "string_agg" | "group_concat" => "listagg(x, ',') WITHIN GROUP (ORDER BY x)",
        "collect_list" | "list" => "array_agg(x)",
        "collect_set" => "array_agg(DISTINCT x)",
        "median" => "approx_percentile(x, 0.5)",
        "struct" | "named_struct" => "CAST(ROW(…) AS ROW(name type, …))",
        "make_array" | "array_construct" => "ARRAY[…]",
        "unnest" | "explode" => "CROSS JOIN UNNEST(…) in the FROM",
        "generate_series" | "range" => "sequence(start, stop)",
        "date_part" | "datepart" => "extract(day FROM x)",
        "to_char" => "date_format(x, '%Y-%m-%d')",
        "to_date" => "CAST(x AS date), or date_parse(x, '%Y-%m-%d')",
        "to_timestamp" => "date_parse(x, '%Y-%m-%d %H:%i:%s'), or from_unixtime(x)",
        "datediff" => "date_diff('day', start, end)",
        "dateadd" | "date_sub" => "date_add('day', n, x)",
        "getdate" | "curdate" | "sysdate" => "now(), or current_date",
        "instr" | "charindex" => "strpos(x, y)",
        "left" => "substr(x, 1, n)",
        "right" => "substr(x, -n)",
        "array_length" | "array_size" => "cardinality(array)",
        "array_contains" | "list_contains" => "contains(array, x)",
        "array_append" => "array || x",
        "get_json_object" => "json_extract_scalar(x, '$.name')",
        "parse_url" => "url_extract_host(x)",
        "regexp_substr" => "regexp_extract(x, '…')",
        "iff" => "IF(condition, x, y)",
        "signum" => "sign(x)",
        "isnan" => "is_nan(x)",
        "ascii" => "codepoint(x)",
        "gen_random_uuid" => "uuid()",
        _ => return None,
    })
}

/// What to write in place of a type that Trino does not have; nothing for those that it has.
pub(crate) fn instead_of_type(written: &DataType) -> Option<&'static str> {
    let name = written.to_string().to_lowercase();
    let first = name.split(['(', '<', ' ']).next().unwrap_or_default();
    Some(match first {
        "string" | "text" | "nvarchar" | "clob" => "varchar",
        "float" | "float4" | "float8" | "float32" | "float64" => "double, or real",
        "bool" => "boolean",
        "int2" | "int4" | "int8" | "int16" | "int32" | "int64" | "long" | "short" => {
            "bigint, integer or smallint"
        }
        "bytea" | "blob" | "bytes" => "varbinary",
        "datetime" => "timestamp",
        "number" => "decimal(38, 0)",
        "unsigned" | "uint" => "bigint",
        _ if name.ends_with(" unsigned") => "bigint",
        _ => return None,
    })
}
