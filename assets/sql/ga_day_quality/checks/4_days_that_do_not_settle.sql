-- severity: warn
-- reason: a day still changes, or was not read again, two weeks later
-- unit: days of reports
-- threshold: <= 0
SELECT report AS report, property AS property, CAST(report_date AS date) AS report_date, provisional AS provisional, updated_at AS read_at
FROM :table
WHERE CAST(report_date AS date) < date_add('day', -14, :today) AND NOT COALESCE(settled, false)
ORDER BY report, property, report_date
