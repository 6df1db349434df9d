-- severity: warn
-- reason: the newest clicks are days old; Affise drops clicks after seven days
-- unit: days behind today
-- threshold: < 3
SELECT date_diff('day', max(date), :today) AS value, max(date) AS newest_day
FROM :table
WHERE date <= :today
