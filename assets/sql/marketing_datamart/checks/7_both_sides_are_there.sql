-- severity: warn
-- reason: a finished day of the window has no sessions, or the window has no lead and no activity
-- unit: sides
-- threshold: <= 0
SELECT m.side AS side, m.missing AS missing
FROM (
  SELECT 'Google Analytics' AS side, date_diff('day', :from, :to) + 1 - count(DISTINCT datestamp) AS missing
  FROM :table WHERE datestamp BETWEEN :from AND :to AND sessions > 0 AND datestamp < :today
  UNION ALL
  SELECT 'Marketo', CASE WHEN COALESCE(SUM(new_leads + activities), 0) = 0 THEN 1 ELSE 0 END
  FROM :table WHERE datestamp BETWEEN :from AND :to
) m
WHERE m.missing > CASE WHEN m.side = 'Marketo' THEN 0 WHEN :to >= :today THEN date_diff('day', :today, :to) + 1 ELSE 0 END
