-- How many rows and bytes each table of each store had, hour by hour (the last look of an hour counts); two years.
CREATE TABLE IF NOT EXISTS growth (
    store   LowCardinality(String)              COMMENT 'postgres, clickhouse, redis, archive',
    name    LowCardinality(String)              COMMENT 'of the table; of the archive the kind of data; of redis keys',
    hour    DateTime('UTC'),
    at      DateTime64(3, 'UTC'),
    rows    UInt64                              COMMENT 'of postgres its own estimate',
    bytes   UInt64                              COMMENT 'on disk, with indexes; of redis in memory'
)
ENGINE = ReplacingMergeTree(at)
PARTITION BY toYear(hour)
ORDER BY (store, name, hour)
TTL hour + toIntervalDay(730);
