//! Words of the language that are completed: Trino's, as Athena documents them.

/// Keywords.
pub const KEYWORDS: &str = "all alter and any array as asc at between by case cast char columns comment count create \
cross cube current_date current_timestamp date decimal default delete desc describe distinct double drop else end \
escape except exists explain external extract false fetch filter first following for from full group grouping having \
if in inner insert integer intersect interval into is join json lateral left like limit location map matched merge \
natural not null nulls offset on optimize or order ordinality outer over partition partitioned partitions preceding \
prepare range recursive right rollup row rows select set sets show table tables tablesample tblproperties then time \
timestamp true try_cast unbounded union unload unnest update using vacuum values varbinary varchar view views when \
where window with within zone";

/// Functions.
pub const FUNCTIONS: &str = "abs acos all_match any_match any_value approx_distinct approx_percentile arbitrary array_agg \
array_distinct array_except array_frequency array_intersect array_join array_max array_min array_position array_remove \
array_sort array_sum array_union arrays_overlap asin at_timezone atan atan2 avg bit_count bitwise_and \
bitwise_and_agg bitwise_not bitwise_or bitwise_or_agg bitwise_xor bool_and bool_or cardinality cbrt ceil ceiling \
checksum chr coalesce codepoint combinations concat concat_ws contains contains_sequence corr cos cosh count count_if \
covar_pop covar_samp crc32 cume_dist current_timezone date date_add date_diff date_format date_parse date_trunc day \
day_of_month day_of_week day_of_year degrees dense_rank element_at ends_with every exp filter first_value flatten floor \
format format_datetime from_base from_base64 from_hex from_iso8601_date from_iso8601_timestamp from_unixtime from_utf8 \
geometric_mean greatest hamming_distance histogram hmac_sha256 hour infinity is_finite is_infinite is_json_scalar \
is_nan json_array json_array_contains json_array_get json_array_length json_exists json_extract json_extract_scalar \
json_format json_object json_parse json_query json_size json_value kurtosis lag last_day_of_month last_value lead least \
length levenshtein_distance listagg ln log log10 log2 lower lpad ltrim map map_agg map_concat map_entries map_filter \
map_from_entries map_keys map_values map_zip_with max max_by md5 min min_by minute mod month multimap_agg \
multimap_from_entries nan ngrams none_match normalize now nth_value ntile nullif parse_datetime percent_rank pi pow \
power quarter radians rand random rank reduce regexp_count regexp_extract regexp_extract_all regexp_like \
regexp_position regexp_replace regexp_split repeat replace reverse round row_number rpad rtrim second sequence sha1 \
sha256 sha512 shuffle sign sin sinh skewness slice split split_part split_to_map sqrt starts_with stddev stddev_pop \
stddev_samp strpos substr substring sum tan tanh timezone_hour timezone_minute to_base to_base64 to_hex to_iso8601 \
to_unixtime to_utf8 transform transform_keys transform_values translate trim truncate try typeof upper url_decode \
url_encode url_extract_fragment url_extract_host url_extract_parameter url_extract_path url_extract_port \
url_extract_protocol url_extract_query uuid var_pop var_samp variance week week_of_year width_bucket with_timezone \
word_stem xxhash64 year year_of_week zip zip_with";
