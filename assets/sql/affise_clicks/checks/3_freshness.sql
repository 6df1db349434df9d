-- severity: warn
-- reason: nothing was collected for more than a day
-- unit: hours
-- threshold: <= 26
SELECT date_diff('hour', max(_collected_at), :now) AS value, max(_collected_at) AS newest_collection
FROM :table
WHERE date BETWEEN :from AND :to
