-- severity: error
-- reason: an activity is there twice; it would be counted twice
-- unit: activities
-- threshold: <= 0
SELECT marketo_guid, count(*) AS copies
FROM :table
WHERE date BETWEEN :from AND :to
GROUP BY marketo_guid
HAVING count(*) > 1
ORDER BY marketo_guid
