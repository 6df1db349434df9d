-- What Google folded into (other), of each day of a report; of every report where none is named.
SELECT other_share AS value, report AS report, property AS property, CAST(report_date AS date) AS report_date, other AS other, total AS total
FROM ga_day_quality
WHERE CAST(report_date AS date) BETWEEN :from AND :to AND other_share IS NOT NULL
  AND (:report = '' OR (report = :report AND source = :source))
ORDER BY other_share DESC, report, property, report_date
LIMIT 20
