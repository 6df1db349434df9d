-- severity: warn
-- reason: a day has less than a quarter of the activities of a mean day of the four weeks before the window
-- unit: share of the trailing mean
-- threshold: >= 0.25
-- Weekends are quiet, mailings are not: the limit is lower than that of clicks.
WITH baseline AS (
  SELECT date, count(*) AS row_count
  FROM :table
  WHERE date BETWEEN date_add('day', -28, :from) AND date_add('day', -1, :from)
  GROUP BY date
),
mean AS (
  SELECT avg(CAST(row_count AS double)) AS trailing_mean, count(*) AS days FROM baseline
)
SELECT CAST(s.row_count AS double) / m.trailing_mean AS value, s.date AS date, s.row_count AS row_count, m.trailing_mean AS trailing_mean
FROM (
  SELECT date, count(*) AS row_count FROM :table WHERE date BETWEEN :from AND :to AND date < :today GROUP BY date
) s
CROSS JOIN mean m
WHERE m.days >= 7
ORDER BY 1, 2
LIMIT 20
