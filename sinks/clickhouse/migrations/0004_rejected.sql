-- Events that were refused, as they came, with the reason: to be listed, fixed and replayed.
CREATE TABLE IF NOT EXISTS rejected (
    topic           LowCardinality(String),
    partition       Int32,
    offset          Int64,
    received_at     DateTime64(3, 'UTC'),
    reason          String,
    path            String                              COMMENT 'JSON path of what broke the rule',
    raw             Nullable(String) CODEC(ZSTD(3)),
    key             Nullable(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (topic, partition, offset)
TTL toDateTime(received_at) + toIntervalDay(90);

CREATE OR REPLACE VIEW rejected_current AS
SELECT * FROM rejected FINAL;
