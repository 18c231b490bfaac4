-- When a replay was refused: the first receipt, by which it was judged. received_at is that of the record that lies there.
ALTER TABLE rejected ADD COLUMN IF NOT EXISTS original_at Nullable(DateTime64(3, 'UTC'));

-- Refused events that were sent again to their topic, and where they lie there: one row each time, none is ever changed.
CREATE TABLE IF NOT EXISTS replayed (
    topic           LowCardinality(String),
    partition       Int32,
    offset          Int64,
    to_partition    Int32,
    to_offset       Int64,
    replayed_at     DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(replayed_at)
ORDER BY (topic, partition, offset, to_partition, to_offset)
TTL toDateTime(replayed_at) + toIntervalDay(90);

CREATE OR REPLACE VIEW replayed_current AS
SELECT * FROM replayed FINAL;

CREATE OR REPLACE VIEW rejected_current AS
SELECT * FROM rejected FINAL;
