-- severity: error
-- reason: a lead is there twice; it would be counted twice
-- unit: leads
-- threshold: <= 0
SELECT lead_id, count(*) AS copies
FROM :table
GROUP BY lead_id
HAVING count(*) > 1
ORDER BY lead_id
