-- Events that wait for old entities of their user: received = applied + duplicate + superseded + rejected + pending.
ALTER TABLE positions ADD COLUMN IF NOT EXISTS pending Int64 COMMENT 'in flight: waiting for old entities';
CREATE OR REPLACE VIEW positions_current AS
SELECT * FROM positions FINAL;
