-- severity: error
-- reason: a click is there twice; it would be counted twice
-- unit: ids
-- threshold: <= 0
SELECT id, date, count(*) AS copies
FROM :table
WHERE date BETWEEN :from AND :to
GROUP BY id, date
HAVING count(*) > 1
ORDER BY date, id
