-- severity: warn
-- reason: too many clicks lack what the report groups by
-- unit: share of the clicks
-- threshold: <= 0.05
SELECT CAST(n.nulls AS double) / NULLIF(n.row_count, 0) AS value, n.column_name AS column_name, n.nulls AS nulls, n.row_count AS row_count
FROM (
  SELECT 'affiliate' AS column_name, count(*) - count(COALESCE(partner_id, partner__id)) AS nulls, count(*) AS row_count
  FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'offer__id', count(*) - count(offer__id), count(*) FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'country', count(*) - count(country), count(*) FROM :table WHERE date BETWEEN :from AND :to
) n
ORDER BY 1 DESC, 2
