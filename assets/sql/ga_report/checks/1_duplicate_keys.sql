-- severity: error
-- reason: rows of a day have the same dimensions; their figures would be counted twice
-- unit: keys
-- threshold: <= 0
SELECT date, :keys, count(*) AS copies
FROM :table
WHERE date BETWEEN :from AND :to
GROUP BY date, :keys
HAVING count(*) > 1
ORDER BY date, :keys
