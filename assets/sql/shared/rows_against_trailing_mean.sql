-- Rows of each day of the window by the mean of the four weeks before it. The tested days are no part of their own
-- baseline; today is not over yet; with fewer than seven days behind it a mean says nothing.
WITH baseline AS (
  SELECT :day, count(*) AS row_count
  FROM :baseline
  WHERE :day BETWEEN date_add('day', -28, :from) AND date_add('day', -1, :from)
  GROUP BY :day
),
mean AS (
  SELECT avg(CAST(row_count AS double)) AS trailing_mean, count(*) AS days FROM baseline
)
SELECT CAST(s.row_count AS double) / m.trailing_mean AS value, s.:day AS :day, s.row_count AS row_count, m.trailing_mean AS trailing_mean
FROM (
  SELECT :day, count(*) AS row_count FROM :table WHERE :day BETWEEN :from AND :to AND :day < :today GROUP BY :day
) s
CROSS JOIN mean m
WHERE m.days >= 7
ORDER BY 1, 2
LIMIT 20
