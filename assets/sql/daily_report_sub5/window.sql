-- The report of a window: one row for each day, affiliate, offer, country, sub5, sub6, os and os_version.
--
-- The day of a fact is its partition, the event day in the profile's time zone.
-- A conversion counts once, by its newest version, chosen before the window is cut: if its newest version
-- lies on a day outside the window, an older one inside does not come back. Only the narrow columns of the
-- other days are read for that.
-- Clicks and conversions meet by UNION ALL and one GROUP BY, in which nulls are equal on every engine.
-- Dimensions are joined after that, one row for each key, so they cannot multiply a fact, and a fact
-- without its dimension stays with empty names.
WITH versions AS (
  SELECT
    id, date, updated_at, _collected_at, _source, status, income, payouts, earnings,
    COALESCE(partner_id, partner__id) AS affiliate_id,
    COALESCE(offer__id, offer_id) AS offer_id,
    country, sub5, sub6, os, os_version,
    ROW_NUMBER() OVER (
      PARTITION BY id
      ORDER BY COALESCE(updated_at, timestamp '1970-01-01 00:00:00') DESC, _collected_at DESC, _source DESC, date DESC
    ) AS age
  FROM affise_conversions
  WHERE date BETWEEN :from AND :to
),
moved AS (
  SELECT DISTINCT v.id AS id
  FROM versions v
  JOIN affise_conversions o ON o.id = v.id
  WHERE v.age = 1
    AND (o.date < :from OR o.date > :to)
    AND (COALESCE(o.updated_at, timestamp '1970-01-01 00:00:00') > COALESCE(v.updated_at, timestamp '1970-01-01 00:00:00')
      OR (COALESCE(o.updated_at, timestamp '1970-01-01 00:00:00') = COALESCE(v.updated_at, timestamp '1970-01-01 00:00:00')
        AND (o._collected_at > v._collected_at
          OR (o._collected_at = v._collected_at
            AND (o._source > v._source OR (o._source = v._source AND o.date > v.date))))))
),
facts AS (
  SELECT
    date AS datestamp,
    COALESCE(partner_id, partner__id) AS affiliate_id,
    offer__id AS offer_id,
    country, sub5, sub6, os, os_version,
    CAST(1 AS bigint) AS click_count,
    CAST(CASE WHEN uniq THEN 1 ELSE 0 END AS bigint) AS host_count,
    CAST(NULL AS decimal(38,18)) AS earnings,
    CAST(0 AS bigint) AS approved,
    CAST(NULL AS decimal(38,18)) AS payouts,
    CAST(NULL AS decimal(38,18)) AS approved_revenue,
    CAST(NULL AS decimal(38,18)) AS declined_revenue,
    CAST(0 AS bigint) AS declined_conversions
  FROM affise_clicks
  WHERE date BETWEEN :from AND :to
  UNION ALL
  SELECT
    v.date, v.affiliate_id, v.offer_id, v.country, v.sub5, v.sub6, v.os, v.os_version,
    CAST(0 AS bigint),
    CAST(0 AS bigint),
    v.earnings,
    CAST(CASE WHEN v.status = 'confirmed' THEN 1 ELSE 0 END AS bigint),
    v.payouts,
    CASE WHEN v.status = 'confirmed' THEN v.income END,
    CASE WHEN v.status = 'declined' THEN v.income END,
    CAST(CASE WHEN v.status = 'declined' THEN 1 ELSE 0 END AS bigint)
  FROM versions v
  LEFT JOIN moved m ON m.id = v.id
  WHERE v.age = 1 AND m.id IS NULL
),
totals AS (
  SELECT
    datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version,
    SUM(click_count) AS click_count,
    SUM(host_count) AS host_count,
    SUM(earnings) AS earnings,
    SUM(approved) AS approved,
    SUM(payouts) AS payouts,
    SUM(approved_revenue) AS approved_revenue,
    SUM(declined_revenue) AS declined_revenue,
    SUM(declined_conversions) AS declined_conversions
  FROM facts
  GROUP BY datestamp, affiliate_id, offer_id, country, sub5, sub6, os, os_version
),
offers AS (
  SELECT id, title, status, privacy, advertiser,
    ROW_NUMBER() OVER (PARTITION BY id ORDER BY _collected_at DESC, _source DESC) AS age
  FROM affise_offers
),
affiliates AS (
  SELECT id,
    -- The listing of affiliates has a name and a login; only facts carry a title.
    COALESCE(NULLIF(name, ''), NULLIF(title, ''), NULLIF(login, '')) AS title,
    COALESCE(NULLIF(trim(concat(COALESCE(manager__first_name, ''), ' ', COALESCE(manager__last_name, ''))), ''), manager__title) AS manager,
    ROW_NUMBER() OVER (PARTITION BY id ORDER BY _collected_at DESC, _source DESC) AS age
  FROM affise_affiliates
),
advertisers AS (
  SELECT id, title,
    COALESCE(
      NULLIF(trim(concat(COALESCE(manager_obj__first_name, ''), ' ', COALESCE(manager_obj__last_name, ''))), ''),
      NULLIF(trim(concat(COALESCE(manager__first_name, ''), ' ', COALESCE(manager__last_name, ''))), ''),
      manager_obj__title, manager__title) AS manager,
    ROW_NUMBER() OVER (PARTITION BY id ORDER BY _collected_at DESC, _source DESC) AS age
  FROM affise_advertisers
)
SELECT
  t.datestamp AS datestamp,
  t.affiliate_id AS affiliate_id,
  a.title AS affiliate_name,
  a.manager AS affiliate_manager,
  x.title AS advertiser_name,
  x.manager AS account_manager,
  o.title AS offer_title,
  o.status AS offer_status,
  o.privacy AS offer_privacy,
  t.offer_id AS offer_id,
  t.country AS country,
  t.sub5 AS sub5,
  t.sub6 AS sub6,
  t.os AS os,
  t.os_version AS os_version,
  t.click_count AS click_count,
  t.host_count AS host_count,
  COALESCE(t.earnings, CAST(0 AS decimal(38,18))) AS earnings,
  t.approved AS approved,
  COALESCE(t.payouts, CAST(0 AS decimal(38,18))) AS payouts,
  COALESCE(t.approved_revenue, CAST(0 AS decimal(38,18))) AS approved_revenue,
  COALESCE(t.declined_revenue, CAST(0 AS decimal(38,18))) AS declined_revenue,
  t.approved AS conversions_count,
  t.declined_conversions AS declined_conversions,
  r.region AS region
FROM totals t
LEFT JOIN offers o ON o.id = t.offer_id AND o.age = 1
LEFT JOIN affiliates a ON a.id = t.affiliate_id AND a.age = 1
LEFT JOIN advertisers x ON x.id = o.advertiser AND x.age = 1
LEFT JOIN country_region r ON r.country = t.country
