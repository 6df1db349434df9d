-- severity: warn
-- reason: too many leads of the window came without what they are known by
-- unit: share of the new leads
-- threshold: <= 0.5
SELECT CAST(n.nulls AS double) / NULLIF(n.row_count, 0) AS value, n.column_name AS column_name, n.nulls AS nulls, n.row_count AS row_count
FROM (
  SELECT 'email' AS column_name, count(*) - count(email) AS nulls, count(*) AS row_count
  FROM :table WHERE CAST(created_at AS date) BETWEEN :from AND :to
) n
