-- severity: warn
-- reason: a day has less than half the rows of a mean day of the four weeks before the window
-- unit: share of the trailing mean
-- threshold: >= 0.5
-- The tested days are no part of their own baseline; today is not over yet; with fewer than seven days behind it
-- a mean says nothing.
WITH baseline AS (
  SELECT datestamp, count(*) AS row_count
  FROM daily_report_sub5
  WHERE datestamp BETWEEN date_add('day', -28, :from) AND date_add('day', -1, :from)
  GROUP BY datestamp
),
mean AS (
  SELECT avg(CAST(row_count AS double)) AS trailing_mean, count(*) AS days FROM baseline
)
SELECT CAST(s.row_count AS double) / m.trailing_mean AS value, s.datestamp AS datestamp, s.row_count AS row_count, m.trailing_mean AS trailing_mean
FROM (
  SELECT datestamp, count(*) AS row_count FROM :staging WHERE datestamp BETWEEN :from AND :to AND datestamp < :today GROUP BY datestamp
) s
CROSS JOIN mean m
WHERE m.days >= 7
ORDER BY 1, 2
LIMIT 20
