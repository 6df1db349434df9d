-- severity: error
-- reason: two rows have the same key; money would be counted twice
SELECT
  count(*) AS value, CAST(1 AS bigint) AS threshold,
  datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version
FROM :staging
GROUP BY datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version
HAVING count(*) > 1
ORDER BY datestamp, affiliate_id, offer_id
LIMIT 20
