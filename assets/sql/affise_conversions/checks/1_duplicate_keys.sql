-- severity: error
-- reason: a conversion is there twice on one day; its money would be counted twice
-- unit: ids
-- threshold: <= 0
SELECT id, date, count(*) AS copies
FROM :table
WHERE date BETWEEN :from AND :to
GROUP BY id, date
HAVING count(*) > 1
ORDER BY date, id
