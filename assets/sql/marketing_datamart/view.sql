-- datamart.mode = "view": always current, paid for by each query.
CREATE OR REPLACE VIEW marketing_datamart AS
-- include select.sql
