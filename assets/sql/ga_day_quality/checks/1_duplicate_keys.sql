-- severity: error
-- reason: a day of a report is judged twice
-- unit: days of reports
-- threshold: <= 0
SELECT id, count(*) AS copies
FROM :table
GROUP BY id
HAVING count(*) > 1
ORDER BY id
