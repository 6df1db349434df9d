-- severity: warn
-- reason: facts name an offer or an affiliate that is not in the dimensions
-- unit: affiliates and offers
-- threshold: <= 0
SELECT
  SUM(click_count + approved + declined_conversions) AS facts,
  affiliate_id, offer_id, CASE WHEN offer_title IS NULL THEN 'offer' ELSE 'affiliate' END AS missing
FROM :staging
WHERE datestamp BETWEEN :from AND :to AND (offer_title IS NULL OR affiliate_name IS NULL)
GROUP BY affiliate_id, offer_id, CASE WHEN offer_title IS NULL THEN 'offer' ELSE 'affiliate' END
ORDER BY 1 DESC, affiliate_id, offer_id
