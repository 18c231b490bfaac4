-- The history of trending lists: of each list the last of every minute, whole, by the stream's clock; a year.
CREATE TABLE IF NOT EXISTS trending (
    kind            LowCardinality(String)   COMMENT 'videos, creators, hashtags, sounds',
    region          LowCardinality(String)   COMMENT 'ISO 3166-1 alpha-2, or all',
    time_window     LowCardinality(String)   COMMENT '1h, 24h, 7d',
    minute          DateTime('UTC'),
    at              DateTime64(3, 'UTC'),
    version         UInt64,
    id              Array(String),
    score           Array(Int64)             COMMENT 'thousandths',
    observed        Array(Float64),
    expected        Array(Float64),
    views           Array(Int64),
    unique_viewers  Array(Int64),
    reactions       Array(Float64),
    decay           Array(Float64),
    creator         Array(Nullable(String)),
    left_out        Array(Int64)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (kind, region, time_window, minute)
TTL minute + toIntervalDay(365);

-- One row per list, minute and place.
CREATE OR REPLACE VIEW trending_history AS
SELECT kind, region, time_window, minute, at, version, place, id, score, observed, expected, views, unique_viewers,
       reactions, decay, creator, left_out
FROM (SELECT * FROM trending FINAL)
ARRAY JOIN arrayEnumerate(id) AS place, id, score, observed, expected, views, unique_viewers, reactions, decay, creator,
           left_out;

-- What is on the lists now.
CREATE OR REPLACE VIEW trending_current AS
SELECT * FROM trending_history
WHERE (kind, region, time_window, version) IN (
    SELECT kind, region, time_window, max(version) FROM trending GROUP BY kind, region, time_window
);

-- A content's day (of the views' own time, UTC): a day is written again as a whole, from the winners, as long as all its
-- raw events are still there (sinks/clickhouse/rollup.py); kept two years.
CREATE TABLE IF NOT EXISTS views_daily (
    date            Date,
    content         String,
    region          LowCardinality(String)   COMMENT 'empty: the events name none',
    version         UInt64                   COMMENT 'when it was written [ms]; the highest wins',
    creator         Nullable(String),
    category        LowCardinality(Nullable(String)),
    views           UInt64,
    qualified_views UInt64                   COMMENT '30 s or half of the length',
    viewers         UInt64                   COMMENT 'users with a qualified view',
    watched_s       Float64,
    likes           UInt64,
    comments        UInt64,
    saves           UInt64,
    shares          UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(date)
ORDER BY (date, content, region)
TTL date + toIntervalDay(730);

CREATE OR REPLACE VIEW views_daily_current AS
SELECT * FROM views_daily
WHERE (date, version) IN (SELECT date, max(version) FROM views_daily GROUP BY date);
