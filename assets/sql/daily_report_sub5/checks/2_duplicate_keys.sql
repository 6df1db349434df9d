-- severity: error
-- reason: two rows have the same key; money would be counted twice
-- unit: keys
-- threshold: <= 0
SELECT datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version, count(*) AS copies
FROM :staging
GROUP BY datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version
HAVING count(*) > 1
ORDER BY datestamp, affiliate_id, offer_id
