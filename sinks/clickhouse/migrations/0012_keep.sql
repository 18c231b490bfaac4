-- How long events are kept is a setting (daybook/keep): they leave after they were archived, not by themselves. The first
-- statement of each pair is there so that the second can be repeated.
ALTER TABLE events MODIFY TTL toDateTime(received_at) + toIntervalYear(50) SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE events REMOVE TTL;
ALTER TABLE rejected MODIFY TTL toDateTime(received_at) + toIntervalYear(50) SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE rejected REMOVE TTL;
ALTER TABLE replayed MODIFY TTL toDateTime(replayed_at) + toIntervalYear(50) SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE replayed REMOVE TTL;

-- When a row was written here. Not one of the columns that * names. What is there already counts as changed now.
ALTER TABLE daily ADD COLUMN IF NOT EXISTS changed_at DateTime('UTC') MATERIALIZED now();
ALTER TABLE daily MATERIALIZE COLUMN changed_at;

-- The days whose rows were dropped because nothing had changed on them for so long, and what the rows said. The winners
-- that they rest on stay in entities: a later event brings the whole row back.
CREATE TABLE IF NOT EXISTS days_dropped (
    user_id     String,
    date        Date,
    version     UInt64                          COMMENT 'of the row that was dropped',
    said        FixedString(16)                 COMMENT 'start of BLAKE2b over what the row said (daybook/keep/said.py)',
    gone        Bool                            COMMENT 'false: the row was restored since',
    archive     String                          COMMENT 'name of the archive that has it; empty: none',
    at          UInt64                          COMMENT 'when [ms since 1970 UTC]; the latest counts'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (user_id, date);

-- The rows that are being dropped now: emptied before and after.
CREATE TABLE IF NOT EXISTS days_leaving (
    user_id     String,
    date        Date,
    version     UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (user_id, date);

-- The days of receipt of which events were dropped: who counts from raw events knows what he no longer sees.
CREATE TABLE IF NOT EXISTS events_dropped (
    dataset     LowCardinality(String)          COMMENT 'raw, views, rejected, replayed',
    day         Date                            COMMENT 'of receipt (UTC)',
    rows        UInt64,
    at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (dataset, day);

-- Until when what was restored from an archive stays, whatever its age.
CREATE TABLE IF NOT EXISTS archive_restored (
    dataset     LowCardinality(String),
    day         Date                            COMMENT 'of receipt (UTC)',
    until       Date,
    at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (dataset, day);
