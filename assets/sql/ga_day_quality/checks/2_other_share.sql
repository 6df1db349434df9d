-- severity: warn
-- reason: Google folded rows of a day into (other): what they were is not known
-- unit: share of the day
-- threshold: <= 0.01
SELECT other_share AS value, report AS report, property AS property, CAST(report_date AS date) AS report_date, other AS other, total AS total
FROM :table
WHERE CAST(report_date AS date) BETWEEN :from AND :to AND other_share IS NOT NULL
ORDER BY other_share DESC, report, property, report_date
LIMIT 20
