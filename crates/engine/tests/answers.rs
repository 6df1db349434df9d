//! Statements as people write them on Athena, with answers worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/asked.rs"]
mod asked;

use asked::all;

#[tokio::test]
async fn web_addresses() {
    all(&[
        ("SELECT url_extract_host('https://Shop.example.com:8443/a/b?utm_source=x#top')", "Shop.example.com"),
        ("SELECT url_extract_parameter('https://e.com/?utm_source=news%20letter&utm_medium=mail', 'utm_source')", "news letter"),
        ("SELECT url_extract_parameter('https://e.com/?a=1', 'b')", "NULL"),
        ("SELECT url_extract_path('https://e.com/a%20b/c')", "/a b/c"),
        ("SELECT url_extract_query('https://e.com/x?a=1&b=%20')", "a=1&b=%20"),
        ("SELECT url_extract_protocol('ftp://e.com/x')", "ftp"),
        ("SELECT url_extract_port('http://e.com:8080/')", "8080"),
        ("SELECT url_extract_fragment('http://e.com/x#Y')", "Y"),
        ("SELECT url_extract_host('http://e.com/a b')", "NULL"),
        ("SELECT url_encode('a b/ä')", "a+b%2F%C3%A4"),
        ("SELECT url_decode('a+b%2F%C3%A4')", "a b/ä"),
        ("SELECT url_decode('100%')", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT host, count(*) FROM (SELECT url_extract_host(u) AS host FROM (VALUES 'http://a.de/1', 'http://a.de/2', 'http://b.de/') t(u)) GROUP BY host ORDER BY host", "a.de|2;b.de|1"),
    ])
    .await;
}

#[tokio::test]
async fn regular_expressions() {
    all(&[
        ("SELECT regexp_like('order-4711', '^order-\\d+$')", "true"),
        (
            "SELECT regexp_extract('utm_campaign=spring-24', 'utm_campaign=([^&]+)', 1)",
            "spring-24",
        ),
        ("SELECT regexp_extract('abc', '(x)', 1)", "NULL"),
        (
            "SELECT regexp_extract_all('a1b22c333', '[0-9]+')",
            "[1, 22, 333]",
        ),
        (
            "SELECT regexp_replace('2024-05-06', '(\\d+)-(\\d+)-(\\d+)', '$3.$2.$1')",
            "06.05.2024",
        ),
        (
            "SELECT regexp_replace('anna', '(?<first>a)', '<${first}>')",
            "<a>nn<a>",
        ),
        (
            "SELECT regexp_replace('new york', '(\\w)(\\w*)', x -> upper(x[1]) || x[2])",
            "New York",
        ),
        ("SELECT regexp_split('a, b;c', '[,;]\\s*')", "[a, b, c]"),
        ("SELECT regexp_count('banana', 'an')", "2"),
        ("SELECT regexp_position('abcabc', 'c', 4)", "6"),
        ("SELECT regexp_like('abc', 'a(?=b)'), regexp_like('acb', 'a(?=b)')", "true|false"),
        ("SELECT regexp_like('abab', '^(ab)\\1$'), regexp_like('abba', '^(ab)\\1$')", "true|false"),
        ("SELECT regexp_extract('price: 12 EUR', '(?<=price: )\\d+'), regexp_replace('a1 b2', '(?<!a)\\d', '#')", "12|a1 b#"),
        ("SELECT regexp_like('foobar', '(?>foo|foob)ar'), regexp_like('aaa', 'a++a'), regexp_like('aaa', 'a+a')", "false|false|true"),
        ("SELECT regexp_like(concat('abc', chr(10)), 'abc$'), regexp_extract(concat('abc', chr(10)), 'c$'), regexp_like(concat('abc', chr(10), 'd'), 'abc$')", "true|c|false"),
        ("SELECT regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '(\\w*)*(\\w*)*\\1!x')", "error NOT_SUPPORTED"),
        ("SELECT regexp_extract_all('a,b;c', '(?<=[,;])\\w'), regexp_split('aXbXc', 'X(?=c)'), regexp_count('banana', '(?=ana)'), regexp_position('banana', '(?<=n)a', 5)", "[b, c]|[aXb, c]|2|6"),
        (
            "SELECT regexp_like('abc', '(')",
            "error INVALID_FUNCTION_ARGUMENT",
        ),
        ("SELECT regexp_like('٣', '\\d')", "false"),
    ])
    .await;
}

#[tokio::test]
async fn json() {
    all(&[
        ("SELECT json_extract_scalar('{\"user\":{\"id\":7,\"tags\":[\"a\",\"b\"]}}', '$.user.tags[1]')", "b"),
        ("SELECT json_extract('{\"a\": {\"c\":1, \"b\": 2}}', '$.a')", "{\"c\":1,\"b\":2}"),
        ("SELECT json_extract_scalar('no json', '$.a')", "NULL"),
        ("SELECT json_parse('{\"b\":1,\"a\":2}')", "{\"a\":2,\"b\":1}"),
        ("SELECT json_parse('{a:1}')", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT json_format(json_parse('[1, 2]'))", "[1,2]"),
        ("SELECT CAST(json_parse('\"x\"') AS varchar)", "x"),
        ("SELECT CAST(json_parse('null') AS varchar)", "NULL"),
        ("SELECT CAST(json_parse('[1,2]') AS varchar)", "error INVALID_CAST_ARGUMENT"),
        ("SELECT CAST(json_parse('[1, \"2\", null]') AS array(bigint))", "[1, 2, ]"),
        ("SELECT CAST(json_parse('{\"a\":1,\"b\":2}') AS map(varchar, bigint))['b']", "2"),
        ("SELECT r.name, r.n FROM (SELECT CAST(json_parse('{\"N\":3,\"name\":\"x\"}') AS row(name varchar, n bigint)) AS r) t", "x|3"),
        ("SELECT json_format(CAST(MAP(ARRAY['b','a'], ARRAY[1, 2]) AS JSON))", "{\"a\":2,\"b\":1}"),
        ("SELECT json_format(CAST(ARRAY[1, NULL] AS JSON))", "[1,null]"),
        ("SELECT json_parse('{\"a\":1, \"b\":2}') = json_parse('{\"b\":2,\"a\":1}')", "true"),
        ("SELECT json_array_length('[1, [2, 3]]'), json_size('{\"x\": [1, 2, 3]}', '$.x')", "2|3"),
        ("SELECT json_array_contains('[1, 2]', 2), json_array_contains('[\"2\"]', 2)", "true|false"),
        ("SELECT json_array_get('[\"a\", [1]]', -1)", "[1]"),
        ("SELECT json_value('{\"a\": [1, 2]}', 'lax $.a[1]' RETURNING bigint)", "2"),
        ("SELECT json_value('{\"a\": 1}', 'lax $.b' DEFAULT 'none' ON EMPTY)", "none"),
        ("SELECT json_query('{\"a\": [1, 2]}', 'lax $.a[*]' WITH ARRAY WRAPPER)", "[1,2]"),
        ("SELECT json_exists('{\"a\": [{\"n\": 5}]}', 'lax $.a[*]?(@.n > 4)')", "true"),
        ("SELECT json_object('k' : 1, 'l' : 'x' ABSENT ON NULL)", "{\"k\":1,\"l\":\"x\"}"),
        ("SELECT json_array(1, NULL, 'x' NULL ON NULL)", "[1,null,\"x\"]"),
        ("SELECT k, v FROM (VALUES json_parse('{\"a\":1,\"b\":2}')) t(j) CROSS JOIN UNNEST(CAST(j AS map(varchar, bigint))) u(k, v) ORDER BY k", "a|1;b|2"),
    ])
    .await;
}

#[tokio::test]
async fn arrays_and_maps() {
    all(&[
        ("SELECT ARRAY[1, 2][3]", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT element_at(ARRAY[1, 2], 3), element_at(ARRAY[1, 2], -1)", "NULL|2"),
        ("SELECT MAP(ARRAY['a'], ARRAY[1])['b']", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", "NULL"),
        ("SELECT MAP(ARRAY['a', 'a'], ARRAY[1, 2])", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT contains(ARRAY[1, NULL], 1), contains(ARRAY[1, NULL], 2), contains(ARRAY[1], 2)", "true|NULL|false"),
        ("SELECT array_distinct(ARRAY['b', 'a', 'b'])", "[b, a]"),
        ("SELECT array_join(ARRAY['a', NULL, 'c'], '-'), array_join(ARRAY['a', NULL], '-', '?')", "a-c|a-?"),
        ("SELECT array_max(ARRAY[3, 1, 2]), array_min(ARRAY['b', 'a'])", "3|a"),
        ("SELECT array_position(ARRAY['x', 'y'], 'y'), array_position(ARRAY['x'], 'z')", "2|0"),
        ("SELECT array_sort(ARRAY[3, NULL, 1])", "[1, 3, ]"),
        ("SELECT array_union(ARRAY[1, 2], ARRAY[2, 3]), array_intersect(ARRAY[1, 2], ARRAY[2, 3]), array_except(ARRAY[1, 2], ARRAY[2])", "[1, 2, 3]|[2]|[1]"),
        ("SELECT arrays_overlap(ARRAY[1, 2], ARRAY[2, 3]), cardinality(ARRAY[1, 2, 3])", "true|3"),
        ("SELECT slice(ARRAY[1, 2, 3, 4], 2, 2), slice(ARRAY[1, 2, 3, 4], -2, 2)", "[2, 3]|[3, 4]"),
        ("SELECT ARRAY[1] || ARRAY[2], concat(ARRAY[1], 2), reverse(ARRAY[1, 2])", "[1, 2]|[1, 2]|[2, 1]"),
        ("SELECT sequence(1, 5, 2), sequence(3, 1)", "[1, 3, 5]|[3, 2, 1]"),
        ("SELECT sequence(date '2024-01-30', date '2024-02-01')", "[2024-01-30, 2024-01-31, 2024-02-01]"),
        ("SELECT sequence(date '2024-01-31', date '2024-03-31', interval '1' month)", "[2024-01-31, 2024-02-29, 2024-03-31]"),
        ("SELECT flatten(ARRAY[ARRAY[1], ARRAY[2, 3]]), repeat('x', 2)", "[1, 2, 3]|[x, x]"),
        ("SELECT ARRAY[1, NULL] = ARRAY[1, NULL], ARRAY[1, NULL] = ARRAY[2, NULL]", "NULL|false"),
        ("SELECT split_to_map('a=1;b=2', ';', '=')['b']", "2"),
        ("SELECT map_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2])), map_values(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))", "[a, b]|[1, 2]"),
        ("SELECT map_concat(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['a'], ARRAY[2]))['a']", "2"),
        ("SELECT row(1, 'x')[2], CAST(row(1, 'x') AS row(n bigint, t varchar)).t", "x|x"),
    ])
    .await;
}

#[tokio::test]
async fn lambdas() {
    all(&[
        ("SELECT transform(ARRAY[1, 2], x -> x * 10), filter(ARRAY[5, -6, NULL], x -> x > 0)", "[10, 20]|[5]"),
        ("SELECT transform(a, x -> x + k) FROM (VALUES (ARRAY[1, 2], 10), (ARRAY[3], 20)) t(a, k)", "[11, 12];[23]"),
        ("SELECT reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 2)", "12"),
        ("SELECT reduce(ARRAY['a', 'b'], '', (s, x) -> s || x, s -> s)", "ab"),
        ("SELECT any_match(ARRAY[1, 2], x -> x = 2), all_match(ARRAY[1, 2], x -> x = 2), none_match(ARRAY[1], x -> x = 2)", "true|false|true"),
        ("SELECT zip_with(ARRAY[1, 2], ARRAY[10], (x, y) -> x + coalesce(y, 0))", "[11, 2]"),
        ("SELECT map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)", "{b: 2}"),
        ("SELECT transform_values(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> k || '!')", "{a: a!}"),
        ("SELECT transform_keys(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> upper(k))", "{A: 1}"),
        ("SELECT array_sort(ARRAY['ccc', 'a', 'bb'], (x, y) -> IF(length(x) < length(y), 1, IF(length(x) = length(y), 0, -1)))", "[ccc, bb, a]"),
        ("SELECT transform(ARRAY[1, 2], x -> transform(ARRAY[10], y -> x + y))", "[[11], [12]]"),
        ("SELECT filter(ARRAY[1], x -> x)", "error TYPE_MISMATCH"),
    ])
    .await;
}

#[tokio::test]
async fn unnest() {
    all(&[
        ("SELECT id, tag FROM (VALUES (1, ARRAY['a', 'b']), (2, ARRAY[])) t(id, tags) CROSS JOIN UNNEST(tags) AS u(tag) ORDER BY id, tag", "1|a;1|b"),
        ("SELECT id, tag FROM (VALUES (1, ARRAY['a']), (2, NULL)) t(id, tags) LEFT JOIN UNNEST(tags) AS u(tag) ON TRUE ORDER BY id", "1|a;2|NULL"),
        ("SELECT id, tag, n FROM (VALUES (1, ARRAY['a', 'b'])) t(id, tags) CROSS JOIN UNNEST(tags) WITH ORDINALITY AS u(tag, n) ORDER BY n", "1|a|1;1|b|2"),
        ("SELECT k, v FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS u(k, v) ORDER BY k", "a|1;b|2"),
        ("SELECT x, y FROM UNNEST(ARRAY[1, 2, 3], ARRAY['a']) AS u(x, y) ORDER BY x", "1|a;2|NULL;3|NULL"),
        ("SELECT d FROM UNNEST(sequence(date '2024-02-28', date '2024-03-01')) AS u(d) ORDER BY d", "2024-02-28;2024-02-29;2024-03-01"),
        ("SELECT word, count(*) FROM (VALUES 'a b a', 'b') t(line) CROSS JOIN UNNEST(split(line, ' ')) AS u(word) GROUP BY word ORDER BY word", "a|2;b|2"),
        ("SELECT item.sku, item.n FROM (SELECT CAST(json_parse('[{\"sku\":\"x\",\"n\":2},{\"sku\":\"y\",\"n\":3}]') AS array(row(sku varchar, n bigint))) AS items) t CROSS JOIN UNNEST(items) AS item ORDER BY 1", "x|2;y|3"),
    ])
    .await;
}

#[tokio::test]
async fn aggregates() {
    all(&[
        ("SELECT listagg(x, ', ') WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 'a', 'b', NULL) t(x)", "b, a"),
        ("SELECT k, listagg(x, '') WITHIN GROUP (ORDER BY n) FROM (VALUES (1, 'b', 2), (1, 'a', 1), (2, 'c', 1)) t(k, x, n) GROUP BY k ORDER BY k", "1|ab;2|c"),
        ("SELECT listagg(x, ',') FROM (VALUES 'a') t(x)", "error TYPE_MISMATCH"),
        ("SELECT approx_percentile(x, 0.5), approx_percentile(x, ARRAY[0.0, 0.9]) FROM (VALUES 1, 2, 3, 4, 5) t(x)", "3|[1, 5]"),
        ("SELECT histogram(x)['a'] FROM (VALUES 'a', 'a', 'b') t(x)", "2"),
        ("SELECT map_agg(k, v)['y'] FROM (VALUES ('x', 1), ('y', 2)) t(k, v)", "2"),
        ("SELECT multimap_agg(k, v)['x'] FROM (VALUES ('x', 1), ('x', 2)) t(k, v)", "[1, 2]"),
        ("SELECT max(x, 2), min(x, 2) FROM (VALUES 1, 3, 2) t(x)", "[3, 2]|[1, 2]"),
        ("SELECT max_by(n, x, 2), max_by(n, x), min_by(n, x) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) t(n, x)", "[b, c]|b|a"),
        ("SELECT every(x > 0), bool_or(x > 2), count_if(x > 1) FROM (VALUES 1, 2) t(x)", "true|false|1"),
        ("SELECT bitwise_and_agg(x), bitwise_or_agg(x) FROM (VALUES 6, 3) t(x)", "2|7"),
        ("SELECT reduce_agg(x, 1, (s, y) -> s * y, (s, y) -> s * y) FROM (VALUES 2, 3, 4) t(x)", "24"),
        ("SELECT round(geometric_mean(x)) FROM (VALUES 2, 8) t(x)", "4.0"),
        ("SELECT histogram(x) FILTER (WHERE x > 1) FROM (VALUES 1, 2) t(x)", "{2: 1}"),
        ("SELECT array_agg(x ORDER BY x DESC) FROM (VALUES 1, 2) t(x)", "[2, 1]"),
    ])
    .await;
}

#[tokio::test]
async fn texts_and_bytes() {
    all(&[
        (
            "SELECT split('a,b,c', ',', 2), split_part('a,b', ',', 2), split_part('a', ',', 2)",
            "[a, b,c]|b|NULL",
        ),
        (
            "SELECT concat_ws('-', 'a', NULL, 'b'), concat_ws('-', ARRAY['a', NULL, 'b'])",
            "a-b|a-b",
        ),
        (
            "SELECT lpad('7', 3, '0'), rpad('ab', 1, 'x'), reverse('añ')",
            "007|a|ña",
        ),
        ("SELECT lpad('7', 3, '')", "error INVALID_FUNCTION_ARGUMENT"),
        (
            "SELECT strpos('banana', 'an', 2), strpos('banana', 'x'), starts_with('abc', 'ab')",
            "4|0|true",
        ),
        (
            "SELECT replace('a-b-c', '-'), translate('abc', 'ac', 'x')",
            "abc|xb",
        ),
        (
            "SELECT format('%s: %,d (%.1f%%)', 'visits', 1234567, 12.34)",
            "visits: 1,234,567 (12.3%)",
        ),
        (
            "SELECT lower(to_hex(md5(to_utf8('abc'))))",
            "900150983cd24fb0d6963f7d28e17f72",
        ),
        (
            "SELECT to_hex(sha256(to_utf8('')))",
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        ),
        (
            "SELECT to_base64(to_utf8('hi!')), from_utf8(from_base64('aGkh'))",
            "aGkh|hi!",
        ),
        (
            "SELECT codepoint('€'), chr(8364), soundex('Robert')",
            "8364|€|R163",
        ),
        (
            "SELECT to_hex(hmac_sha256(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))",
            "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
        ),
        ("SELECT md5('abc')", "error TYPE_MISMATCH"),
        ("SELECT to_char(now(), 'YYYY')", "error FUNCTION_NOT_FOUND"),
    ])
    .await;
}

#[tokio::test]
async fn what_can_fail_is_tried() {
    all(&[
        ("SELECT try(1 / 0), try(CAST('x' AS bigint)), try(ARRAY[1][2]), try(url_decode('%'))", "NULL|NULL|NULL|NULL"),
        ("SELECT x, try(10 / x) FROM (VALUES 0, 5) t(x) ORDER BY x", "0|NULL;5|2"),
        ("SELECT coalesce(try(json_parse(x)), json_parse('[]')) FROM (VALUES '{', '{\"a\":1}') t(x)", "[];{\"a\":1}"),
        ("SELECT try(sum(x) / sum(y)) FROM (VALUES (1, 0), (2, 0)) t(x, y)", "NULL"),
        ("SELECT try(nothing_of_that_name(1))", "error FUNCTION_NOT_FOUND"),
    ])
    .await;
}
