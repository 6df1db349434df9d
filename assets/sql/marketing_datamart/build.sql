-- The whole datamart goes to a table of this build first, where it is checked before anybody reads it.
CREATE TABLE :staging
WITH (table_type = 'ICEBERG', is_external = false, format = 'PARQUET', location = :location)
AS
-- include select.sql
