-- severity: warn
-- reason: the newest days, which are read at every collection, were not read for more than a day
-- unit: hours
-- threshold: <= 26
-- A report whose days are all settled, like an archive, has none of these days and nothing to compare.
SELECT date_diff('hour', max(_collected_at), :now) AS value, max(_collected_at) AS newest_collection
FROM :table
WHERE date BETWEEN date_add('day', -3, :today) AND :today
