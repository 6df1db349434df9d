//! What Trino has: its functions and types, and what to write where a statement names another engine's.

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

/// Functions that stand over a window only.
pub(crate) const OVER_A_WINDOW: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// Whether Trino has a function of that name, answered here or not.
pub(crate) fn is_function(name: &str) -> bool {
    WITHOUT_BRACKETS.contains(&name)
        || name.starts_with("st_")
        || FUNCTIONS
            .split_ascii_whitespace()
            .any(|known| known == name)
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

/// Trino's functions, by its reference.
const FUNCTIONS: &str = "
    abs acos all_match any_match any_value approx_distinct approx_most_frequent approx_percentile
    approx_set arbitrary array array_agg array_distinct array_except array_first array_histogram
    array_intersect array_join array_last array_max array_min array_position array_remove array_sort
    array_union arrays_overlap asin at_timezone atan atan2 avg bar beta_cdf bing_tile bing_tile_at
    bing_tile_coordinates bing_tile_polygon bing_tile_quadkey bing_tile_zoom_level bing_tiles_around
    bit_count bitwise_and bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or bitwise_or_agg
    bitwise_right_shift bitwise_right_shift_arithmetic bitwise_xor bitwise_xor_agg bool_and bool_or
    cardinality cast cbrt ceil ceiling checksum chr classify coalesce codepoint color combinations
    concat concat_ws contains contains_sequence corr cos cosh cosine_distance cosine_similarity
    count count_if covar_pop covar_samp crc32 cume_dist current_timezone date date_add date_diff
    date_format date_parse date_trunc day day_of_month day_of_week day_of_year degrees dense_rank
    dow doy e element_at empty_approx_set ends_with entropy every exp extract filter first_value
    flatten floor format format_datetime format_number from_base from_base32 from_base64
    from_base64url from_big_endian_32 from_big_endian_64 from_hex from_ieee754_32 from_ieee754_64
    from_iso8601_date from_iso8601_timestamp from_iso8601_timestamp_nanos from_unixtime
    from_unixtime_nanos from_utf8 geometric_mean great_circle_distance greatest grouping
    hamming_distance hash_counts histogram hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 hour
    human_readable_seconds if infinity initcap intersection_cardinality inverse_beta_cdf
    inverse_normal_cdf is_finite is_infinite is_json_scalar is_nan jaccard_index json_array
    json_array_contains json_array_get json_array_length json_exists json_extract
    json_extract_scalar json_format json_object json_parse json_query json_size json_value kurtosis
    lag last_day_of_month last_value lead least length levenshtein_distance listagg ln log log10
    log2 lower lpad ltrim luhn_check make_set_digest map map_agg map_concat map_entries map_filter
    map_from_entries map_keys map_union map_values map_zip_with max max_by md5 merge
    merge_set_digest millisecond min min_by minute mod month multimap_agg multimap_from_entries
    murmur3 nan ngrams none_match normal_cdf normalize now nth_value ntile nullif numeric_histogram
    objectid objectid_timestamp parse_datetime parse_duration parse_data_size parse_presto_data_size
    percent_rank pi position pow power qdigest_agg quarter radians rand random rank reduce
    reduce_agg regexp_count regexp_extract regexp_extract_all regexp_like regexp_position
    regexp_replace regexp_split regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
    regr_sxx regr_sxy regr_syy render repeat replace reverse rgb round row row_number rpad rtrim
    second sequence sha1 sha256 sha512 shuffle sign sin sinh skewness slice soundex split split_part
    split_to_map split_to_multimap spooky_hash_v2_32 spooky_hash_v2_64 sqrt starts_with stddev
    stddev_pop stddev_samp strpos substr substring sum tan tanh tdigest_agg timestamp_objectid
    timezone_hour timezone_minute to_base to_base32 to_base64 to_base64url to_big_endian_32
    to_big_endian_64 to_hex to_ieee754_32 to_ieee754_64 to_iso8601 to_milliseconds to_unixtime
    to_utf8 transform transform_keys transform_values translate trim trim_array truncate try
    try_cast typeof upper url_decode url_encode url_extract_fragment url_extract_host
    url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query
    uuid value_at_quantile values_at_quantiles var_pop var_samp variance version week week_of_year
    width_bucket wilson_interval_lower wilson_interval_upper with_timezone word_stem xxhash64 year
    year_of_week yow zip zip_with fail
";
