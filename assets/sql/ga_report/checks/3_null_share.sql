-- severity: warn
-- reason: too many rows lack a dimension or a metric that the report asks for
-- unit: share of the rows
-- threshold: <= 0.05
SELECT CAST(n.nulls AS double) / NULLIF(n.row_count, 0) AS value, n.fields AS fields, n.nulls AS nulls, n.row_count AS row_count
FROM (
  SELECT 'dimensions' AS fields, count(*) - count(:dimensions_together) AS nulls, count(*) AS row_count
  FROM :table WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT 'metrics', count(*) - count(:metrics_together), count(*) FROM :table WHERE date BETWEEN :from AND :to
) n
ORDER BY 1 DESC, 2
