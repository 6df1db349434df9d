-- severity: error
-- reason: two rows have the same key; they would be counted twice
-- unit: keys
-- threshold: <= 0
SELECT datestamp, business_unit, source, medium, campaign, count(*) AS copies
FROM :table
GROUP BY datestamp, business_unit, source, medium, campaign
HAVING count(*) > 1
ORDER BY datestamp, business_unit, source, medium, campaign
