//! Which functions a statement may call: Trino's, and those that the rewrite puts in. DataFusion's other ones do not leak
//! through: a statement that uses them would not run on Athena.

use datafusion::{
    common::Result,
    execution::{FunctionRegistry, SessionState},
};

/// Names of DataFusion's functions that mean what Trino means, or that the rewrite and the planner call.
const KEPT: &[&str] = &[
    // Scalar functions of Trino.
    "acos",
    "asin",
    "atan",
    "atan2",
    "cardinality",
    "cbrt",
    "ceil",
    "chr",
    "coalesce",
    "concat",
    "cos",
    "cosh",
    "cot",
    "current_date",
    "current_time",
    "current_timestamp",
    "degrees",
    "e",
    "exp",
    "floor",
    "if",
    "ln",
    "log",
    "log10",
    "log2",
    "now",
    "nullif",
    "pi",
    "position",
    "pow",
    "power",
    "radians",
    "rand",
    "random",
    "round",
    "sign",
    "sin",
    "sinh",
    "tan",
    "tanh",
    "truncate",
    "uuid",
    // What the rewrite and the planner call.
    "array_concat",
    "array_element",
    "array_has",
    "array_slice",
    "arrow_cast",
    "character_length",
    "date_part",
    "get_field",
    "gcd",
    "isnan",
    "levenshtein",
    "make_array",
    "map_extract",
    "named_struct",
    "nvl",
    "signum",
    "string_to_array",
    "struct",
    "substr",
    "to_timestamp",
    "trunc",
    // Aggregates and window functions.
    "approx_distinct",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "first_value",
    "grouping",
    "lag",
    "last_value",
    "lead",
    "max",
    "min",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "row_number",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var",
    "unnest",
];

/// Takes out what is not Trino's; before ours are put in.
pub(super) fn only_trinos(state: &mut SessionState) -> Result<()> {
    let unknown = |name: &String| !KEPT.contains(&name.as_str());
    for name in state.udfs().into_iter().filter(unknown) {
        state.deregister_udf(&name)?;
    }
    for name in state.udafs().into_iter().filter(unknown) {
        state.deregister_udaf(&name)?;
    }
    for name in state.udwfs().into_iter().filter(unknown) {
        state.deregister_udwf(&name)?;
    }
    let tables: Vec<String> = state.table_functions().keys().cloned().collect();
    for name in tables {
        state.deregister_udtf(&name)?;
    }
    let names: Vec<String> = state.higher_order_function_names().into_iter().collect();
    for name in names {
        state.deregister_higher_order_function(&name)?;
    }
    Ok(())
}
