-- severity: error
-- reason: conversions or their money are not those of the newest versions in silver
-- unit: totals
-- threshold: <= 0
WITH ids AS (
  SELECT DISTINCT id FROM affise_conversions WHERE date BETWEEN :from AND :to
),
versions AS (
  SELECT
    c.id AS id, c.date AS date, c.status AS status, c.income AS income, c.payouts AS payouts, c.earnings AS earnings,
    concat(
      CAST(COALESCE(c.updated_at, timestamp '1970-01-01 00:00:00') AS varchar), '|', CAST(c._collected_at AS varchar), '|', c._source, '|',
      CAST(c.date AS varchar)) AS version
  FROM affise_conversions c
  JOIN ids i ON i.id = c.id
),
newest AS (
  SELECT v.id AS id, v.date AS date, v.status AS status, v.income AS income, v.payouts AS payouts, v.earnings AS earnings
  FROM versions v
  JOIN (SELECT id, max(version) AS version FROM versions GROUP BY id) m ON m.id = v.id AND m.version = v.version
  WHERE v.date BETWEEN :from AND :to
),
silver AS (
  SELECT
    COUNT(DISTINCT CASE WHEN status = 'confirmed' THEN id END) AS confirmed,
    COUNT(DISTINCT CASE WHEN status = 'declined' THEN id END) AS declined,
    COALESCE(SUM(CASE WHEN status = 'confirmed' THEN income END), CAST(0 AS decimal(38,18))) AS approved_revenue,
    COALESCE(SUM(CASE WHEN status = 'declined' THEN income END), CAST(0 AS decimal(38,18))) AS declined_revenue,
    COALESCE(SUM(payouts), CAST(0 AS decimal(38,18))) AS payouts,
    COALESCE(SUM(earnings), CAST(0 AS decimal(38,18))) AS earnings
  FROM newest
),
gold AS (
  SELECT
    COALESCE(SUM(conversions_count), 0) AS confirmed,
    COALESCE(SUM(declined_conversions), 0) AS declined,
    COALESCE(SUM(approved_revenue), CAST(0 AS decimal(38,18))) AS approved_revenue,
    COALESCE(SUM(declined_revenue), CAST(0 AS decimal(38,18))) AS declined_revenue,
    COALESCE(SUM(payouts), CAST(0 AS decimal(38,18))) AS payouts,
    COALESCE(SUM(earnings), CAST(0 AS decimal(38,18))) AS earnings
  FROM :staging WHERE datestamp BETWEEN :from AND :to
)
SELECT
  g.confirmed AS confirmed, s.confirmed AS confirmed_in_silver,
  g.declined AS declined, s.declined AS declined_in_silver,
  g.approved_revenue AS approved_revenue, s.approved_revenue AS approved_revenue_in_silver,
  g.payouts AS payouts, s.payouts AS payouts_in_silver,
  g.earnings AS earnings, s.earnings AS earnings_in_silver
FROM gold g CROSS JOIN silver s
WHERE g.confirmed <> s.confirmed OR g.declined <> s.declined OR g.approved_revenue <> s.approved_revenue
  OR g.declined_revenue <> s.declined_revenue OR g.payouts <> s.payouts OR g.earnings <> s.earnings
