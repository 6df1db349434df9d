//! What the planner says, in words that a person who writes SQL knows: Trino's names of types, and none of the engine's
//! inner parts.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A pattern of the planner's message, Athena's code, and what is said in its place; `$1` is what the pattern found.
type Said = (&'static str, &'static str, &'static str);

/// What is told otherwise than cleaned. The first that fits is taken.
const SAID: &[Said] = &[
    (
        r#"column "(?:[^"]*\.)?([^".]+)" must appear in the GROUP BY"#,
        "EXPRESSION_NOT_AGGREGATE",
        "'$1' must be an aggregate expression or appear in GROUP BY clause",
    ),
    (
        r"HAVING clause references",
        "EXPRESSION_NOT_AGGREGATE",
        "HAVING asks for what must be an aggregate expression or appear in GROUP BY clause",
    ),
    (
        r"Source table contains (\d+) columns but only (\d+) names",
        "MISMATCHED_COLUMN_ALIASES",
        "Column alias list has $2 entries but relation has $1 columns",
    ),
    (
        r"Invalid qualifier (\S+)",
        "TABLE_NOT_FOUND",
        "Unable to resolve reference $1",
    ),
    (
        r"(UNION|EXCEPT|INTERSECT)\w* queries have different number of columns",
        "TYPE_MISMATCH",
        "$1 query has different number of fields",
    ),
    (
        r"Order by column out of bounds, specified: (\d+)",
        "INVALID_COLUMN_REFERENCE",
        "ORDER BY position $1 is not in select list",
    ),
    (
        r"Cannot find column with position (\d+) in SELECT clause",
        "INVALID_COLUMN_REFERENCE",
        "GROUP BY position $1 is not in select list",
    ),
    (
        r"Aggregate functions are not allowed in the WHERE|logical expression WindowFunction",
        "EXPRESSION_NOT_SCALAR",
        "WHERE clause cannot contain aggregations, window functions or grouping operations; write HAVING, or an outer SELECT",
    ),
    (
        r"Aggregate function calls cannot be nested",
        "NESTED_AGGREGATION",
        "Cannot nest aggregations inside aggregation; aggregate in a subquery first",
    ),
    (
        r"non-boolean predicate .* returning (.+)$",
        "TYPE_MISMATCH",
        "WHERE clause must evaluate to a boolean: actual type $1",
    ),
    (
        r"Unary operator 'NOT' requires a boolean expression, got (\S+)",
        "TYPE_MISMATCH",
        "Value of logical NOT expression must evaluate to a boolean (actual: $1)",
    ),
    (
        r"Unary operator '-'",
        "TYPE_MISMATCH",
        "Cannot negate what is no number and no interval",
    ),
    (
        r"Unsupported SQL type (.+)",
        "TYPE_NOT_FOUND",
        "Unknown type: $1",
    ),
    (
        r"Cannot access field at argument \d+: type (.+) is not Struct",
        "TYPE_MISMATCH",
        "Expression is not of type ROW (actual: $1)",
    ),
    (
        r"Field (\S+) not found in struct",
        "COLUMN_NOT_FOUND",
        "Column '$1' cannot be resolved: the row has no field of that name",
    ),
    (
        r"There is only support Literal types|Expected a signed integer literal",
        "NOT_SUPPORTED",
        "an argument of a window function that differs from row to row is not supported: write a constant",
    ),
    (
        r"Invalid window frame: frame offsets",
        "INVALID_WINDOW_FRAME",
        "a bound of a window frame that differs from row to row, or is no number, is not supported: write a constant",
    ),
    (
        r"Projections require unique expression names",
        "NOT_SUPPORTED",
        "a name that stands twice in the list of a subquery, or that the answer is ordered by, is not supported: name the columns apart",
    ),
    (
        r"FETCH clause is not supported",
        "NOT_SUPPORTED",
        "FETCH … WITH TIES is not supported: filter rank() OVER (ORDER BY …) in an outer SELECT",
    ),
    (
        r"Placeholder '.*' was not provided",
        "INVALID_PARAMETER_USAGE",
        "Incorrect number of parameters: a ? has no value; write the value",
    ),
    (
        r"Unsupported ast node|Unsupported binary operator|Binary operator '.*' is not supported|Unsupported SQL unary operator|Unsupported Value",
        "SYNTAX_ERROR",
        "a part of the statement is not of Trino's grammar",
    ),
    (
        r"(?s)^.*coerc.*No function matches the given name and argument types '(?:trino_)?(\w+)\(([^']*)\)'",
        "TYPE_MISMATCH",
        "Unexpected parameters ($2) for function $1",
    ),
    (
        r"(?s)No function matches the given name and argument types '(?:trino_)?(\w+)\(([^']*)\)'",
        "FUNCTION_NOT_FOUND",
        "Unexpected parameters ($2) for function $1",
    ),
    (
        r"Invalid function '(?:trino_)?(\w+)'",
        "FUNCTION_NOT_FOUND",
        "Function '$1' not registered",
    ),
];

/// A message with its code in place of the planner's own, where there is one.
pub(crate) fn said(text: &str) -> Option<(&'static str, String)> {
    static PATTERNS: LazyLock<Vec<(Regex, Said)>> = LazyLock::new(|| {
        SAID.iter()
            .filter_map(|said| Some((Regex::new(said.0).ok()?, *said)))
            .collect()
    });
    PATTERNS.iter().find_map(|(pattern, (_, code, words))| {
        let found = pattern.captures(text)?;
        let mut told = String::new();
        found.expand(words, &mut told);
        Some((*code, plain(&told)))
    })
}

/// A message without the engine's own words.
pub(crate) fn plain(text: &str) -> String {
    const FRONTS: &[&str] = &[
        "Error during planning: ",
        "Execution error: ",
        "Internal error: ",
        "Schema error: ",
        "Arrow error: ",
        "Optimizer rule ",
        "This feature is not implemented: ",
        "External error: ",
        "type mismatch: ",
    ];
    const BACKS: &[&str] = &[
        "This issue was likely caused by a bug",
        "\nDid you mean",
        "No function matches",
        "You might need to add explicit type casts",
        "\n\tCandidate functions",
    ];
    let mut text = text.to_owned();
    for front in FRONTS {
        text = text.replace(front, "");
    }
    for back in BACKS {
        if let Some(at) = text.find(back) {
            text.truncate(at);
        }
    }
    let text = with_types(text.trim().trim_end_matches(['.', ':']));
    text.replace("trino_", "")
}

/// Arrow's names of types as Trino's; a constant as it was written.
fn with_types(text: &str) -> String {
    static TYPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"\b(U?Int(?:8|16|32|64)|Float(?:16|32|64)|Utf8View|LargeUtf8|Utf8|Boolean|Date32|Date64|LargeBinary|BinaryView|Binary|Decimal(?:128|256)|LargeList|List|Struct|Map)\b(?:\(("[^"]*"|-?[0-9.]+|NULL)\))?"#,
        )
        .ok()
    });
    let Some(types) = TYPES.as_ref() else {
        return text.to_owned();
    };
    let told = types.replace_all(text, |found: &Captures<'_>| {
        if let Some(constant) = found.get(2) {
            return constant.as_str().replace('"', "'");
        }
        let name = match &found[1] {
            "Int64" | "UInt32" | "UInt64" => "bigint",
            "Int32" | "UInt16" => "integer",
            "Int16" | "UInt8" => "smallint",
            "Int8" => "tinyint",
            "Float64" => "double",
            "Float32" | "Float16" => "real",
            "Utf8" | "Utf8View" => "varchar",
            "LargeUtf8" => "json",
            "Boolean" => "boolean",
            "Date32" | "Date64" => "date",
            "Binary" | "BinaryView" | "LargeBinary" => "varbinary",
            "List" | "LargeList" => "array",
            "Struct" => "row",
            "Map" => "map",
            _ => "decimal",
        };
        name.to_owned()
    });
    told.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_trinos_and_constants_as_written() {
        assert_eq!(
            plain(
                "Error during planning: Cannot coerce Int64 and Utf8View, t.x > Int64(1) or Utf8(\"a\")"
            ),
            "Cannot coerce bigint and varchar, t.x > 1 or 'a'"
        );
        assert_eq!(
            plain("a row of Decimal128(10, 2) and Struct(a)"),
            "a row of decimal(10, 2) and row(a)"
        );
    }

    #[test]
    fn every_pattern_is_one() {
        for (pattern, ..) in SAID {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
    }
}
