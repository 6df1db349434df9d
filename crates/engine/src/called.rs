//! Which functions a statement may call: Trino's. What only DataFusion has, and what the rewrite calls things, is no name
//! that a person can use, because the statement would not run on Athena.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments, VisitMut,
    VisitorMut,
};

use crate::rewrite::{call, text};

/// Trino's scalar functions that are answered.
const SCALAR: &str = "
    abs acos all_match any_match array_distinct array_except array_first array_histogram array_intersect array_join
    array_last array_max array_min array_position array_remove array_sort array_union arrays_overlap asin at_timezone atan
    atan2 bit_count bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
    bitwise_right_shift_arithmetic bitwise_xor cardinality cbrt ceil ceiling chr coalesce codepoint combinations concat
    concat_ws contains contains_sequence cos cosh cosine_similarity crc32 current_date current_time current_timestamp
    current_timezone date date_add date_diff date_format date_parse date_trunc day day_of_month day_of_week day_of_year
    degrees dow doy e element_at exp filter flatten floor format format_datetime format_number from_base from_base32
    from_base64 from_base64url from_big_endian_32 from_big_endian_64 from_hex from_ieee754_32 from_ieee754_64
    from_iso8601_date from_iso8601_timestamp from_unixtime from_unixtime_nanos from_utf8 greatest hamming_distance
    hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 hour human_readable_seconds if infinity inverse_normal_cdf is_finite
    is_infinite is_json_scalar is_nan json_array_contains json_array_get json_array_length json_extract
    json_extract_scalar json_format json_parse json_size last_day_of_month least length levenshtein_distance ln localtime
    localtimestamp log log10 log2 lower lpad ltrim luhn_check map map_concat map_entries map_filter map_from_entries
    map_keys map_values map_zip_with md5 millisecond minute mod month multimap_from_entries nan ngrams none_match
    normal_cdf normalize now nullif parse_data_size parse_datetime parse_duration pi position pow power quarter radians
    rand random reduce regexp_count regexp_extract regexp_extract_all regexp_like regexp_position regexp_replace
    regexp_split repeat replace reverse round row rpad rtrim second sequence sha1 sha256 sha512 shuffle sign sin sinh
    slice soundex split split_part split_to_map split_to_multimap sqrt starts_with strpos substr substring tan tanh
    timezone_hour timezone_minute to_base to_base32 to_base64 to_base64url to_big_endian_32 to_big_endian_64 to_hex
    to_ieee754_32 to_ieee754_64 to_iso8601 to_milliseconds to_unixtime to_utf8 transform transform_keys transform_values
    translate trim trim_array truncate try typeof upper url_decode url_encode url_extract_fragment
    url_extract_host url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query uuid
    week week_of_year width_bucket wilson_interval_lower wilson_interval_upper with_timezone xxhash64 year year_of_week
    yow zip zip_with
";

/// Trino's aggregates that are answered.
const AGGREGATE: &str = "
    any_value approx_distinct approx_most_frequent approx_percentile arbitrary array_agg avg bitwise_and_agg
    bitwise_or_agg bitwise_xor_agg bool_and bool_or corr count count_if covar_pop covar_samp entropy every
    geometric_mean grouping histogram kurtosis listagg map_agg map_union max max_by min min_by multimap_agg reduce_agg
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy skewness stddev
    stddev_pop stddev_samp sum var_pop var_samp variance
";

/// Trino's functions of windows only.
const WINDOW: &str = "
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
";

/// Trino's functions that have no answer here.
const MISSING: &str = "
    approx_set bar beta_cdf bing_tile bing_tile_at bing_tile_coordinates bing_tile_polygon bing_tile_quadkey
    bing_tile_zoom_level bing_tiles_around checksum classifier classify color convex_hull_agg current_groups
    empty_approx_set evaluate_classifier_predictions features from_encoded_polyline from_geojson_geometry
    from_iso8601_timestamp_nanos geometry_from_hadoop_shape geometry_invalid_reason geometry_nearest_points
    geometry_to_bing_tiles geometry_union geometry_union_agg great_circle_distance hash_counts
    intersection_cardinality inverse_beta_cdf jaccard_index json_query learn_classifier learn_libsvm_classifier
    learn_libsvm_regressor learn_regressor line_interpolate_point line_interpolate_points line_locate_point
    make_set_digest match_number merge merge_set_digest murmur3 numeric_histogram qdigest_agg quantile_at_value regress
    render rgb simplify_geometry spatial_partitioning spatial_partitions spooky_hash_v2_32 spooky_hash_v2_64 st_area
    st_asbinary st_astext st_boundary st_buffer st_centroid st_contains st_convexhull st_coorddim st_crosses
    st_difference st_dimension st_disjoint st_distance st_endpoint st_envelope st_envelopeaspts st_equals
    st_exteriorring st_geometries st_geometryfromtext st_geometryn st_geometrytype st_geomfrombinary st_interiorringn
    st_interiorrings st_intersection st_intersects st_isclosed st_isempty st_isring st_issimple st_isvalid st_length
    st_linefromtext st_linestring st_multipoint st_numgeometries st_numinteriorring st_numpoints st_overlaps st_point
    st_pointn st_points st_polygon st_relate st_startpoint st_symdifference st_touches st_union st_within st_x st_xmax
    st_xmin st_y st_ymax st_ymin t_cdf t_pdf tdigest_agg timestamp_objectid to_encoded_polyline to_geojson_geometry
    to_geometry to_spherical_geography value_at_quantile values_at_quantiles version word_stem json_array json_exists
    json_object json_value objectid objectid_timestamp parse_presto_data_size
";

/// Words that name something of the session.
const SESSION: [&str; 5] = [
    "current_catalog",
    "current_path",
    "current_role",
    "current_schema",
    "current_user",
];

/// How the names of our own functions begin, which stand in for what the parser or the planner does not know.
pub(crate) const OWN: &str = "trino_";

fn is_in(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|known| known == name)
}

/// Whether Trino has a function of that name, answered here or not.
pub(crate) fn is_trinos(name: &str) -> bool {
    [SCALAR, AGGREGATE, WINDOW, MISSING]
        .into_iter()
        .any(|list| is_in(list, name))
}

/// Whether a function of Trino's stands over a window only.
pub(crate) fn is_over_a_window(name: &str) -> bool {
    is_in(WINDOW, name)
}

/// Puts a refusal in the place of every call that Athena would not answer.
pub(crate) fn only_trinos<N: VisitMut>(node: &mut N) {
    let _ = VisitMut::visit(node, &mut Gate);
}

struct Gate;

impl VisitorMut for Gate {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let why = match expr {
            Expr::Function(function) => refusal(function),
            Expr::Struct { .. } => {
                Some("FUNCTION_NOT_FOUND: Function 'struct' not registered".to_owned())
            }
            Expr::Identifier(word)
                if word.quote_style.is_none()
                    && SESSION.contains(&word.value.to_lowercase().as_str()) =>
            {
                Some(format!("NOT_SUPPORTED: {} is not supported", word.value))
            }
            _ => None,
        };
        if let Some(why) = why {
            *expr = call("trino_refused", vec![text(&why)]);
        }
        ControlFlow::Continue(())
    }
}

/// Why a call has no answer.
fn refusal(function: &Function) -> Option<String> {
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    let name = part.as_ident()?.value.to_lowercase();
    // What was put into plain calls before the parser read it; that a person wrote no such name is looked at there.
    if name.starts_with(OWN) {
        return None;
    }
    let (aggregate, window) = (is_in(AGGREGATE, &name), is_in(WINDOW, &name));
    if window && function.over.is_none() {
        return Some(format!(
            "MISSING_OVER: Window function {name} requires an OVER clause"
        ));
    }
    if aggregate || window {
        return None;
    }
    if is_in(SCALAR, &name) {
        let distinct = match &function.args {
            FunctionArguments::List(list) => {
                list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
                    || list
                        .clauses
                        .iter()
                        .any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
            }
            _ => false,
        };
        return if function.over.is_some() {
            Some(format!(
                "FUNCTION_NOT_WINDOW: Not a window function: {name}"
            ))
        } else if distinct || function.filter.is_some() || !function.within_group.is_empty() {
            Some(format!(
                "FUNCTION_NOT_AGGREGATE: {name} is no aggregate: DISTINCT, FILTER and ORDER BY are not for it"
            ))
        } else {
            None
        };
    }
    if is_in(SESSION.join(" ").as_str(), &name) || is_in(MISSING, &name) {
        return Some(format!(
            "NOT_SUPPORTED: Function '{name}' is not supported here"
        ));
    }
    Some(format!(
        "FUNCTION_NOT_FOUND: Function '{name}' not registered"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::prelude::SessionConfig;

    use super::*;

    fn names(list: &'static str) -> BTreeSet<&'static str> {
        list.split_whitespace().collect()
    }

    #[test]
    fn no_name_stands_twice() {
        let lists = [SCALAR, AGGREGATE, WINDOW, MISSING];
        let all: usize = lists
            .iter()
            .map(|list| list.split_whitespace().count())
            .sum();
        let once: BTreeSet<_> = lists.into_iter().flat_map(names).collect();
        assert_eq!(all, once.len());
    }

    #[test]
    fn what_is_said_to_be_missing_is_not_registered() {
        let state = crate::session_state(SessionConfig::new(), std::sync::Arc::default()).unwrap();
        let known: BTreeSet<String> = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .cloned()
            .collect();
        for name in names(MISSING) {
            assert!(!known.contains(name), "{name}");
        }
    }
}
