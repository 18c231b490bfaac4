-- What a user's days come to, one row per user and as-of day: the history of it; the highest version wins. A row without
-- covered_days says that no day is left (its as_of is then 1970-01-01).
CREATE TABLE IF NOT EXISTS progress (
    user_id             String,
    version             UInt64,
    as_of               Date                    COMMENT 'latest local day with anything on it',
    first_date          Nullable(Date),
    covered_days        Nullable(Int64),
    acute_load          Nullable(Float64)       COMMENT 'training load of the last 7 days [min × RPE]',
    chronic_load        Nullable(Float64)       COMMENT 'of the 28 days before them, a week',
    acute_chronic_ratio Nullable(Float64),
    windows             Map(String, Tuple(sum_7d Nullable(Float64), mean_7d Nullable(Float64), days_7d Int64, sum_28d Nullable(Float64), mean_28d Nullable(Float64), days_28d Int64, change_pct Nullable(Float64)))  COMMENT 'by daily metric',
    strength            Map(String, Tuple(best_7d_kg Nullable(Float64), best_before_kg Nullable(Float64), change_pct Nullable(Float64)))  COMMENT 'by exercise',
    streaks             Map(String, Tuple(current Int64, since Date, until Date, longest Int64, longest_since Date, longest_until Date)),
    records             Map(String, Tuple(value Float64, date Date, entity Nullable(String), previous_value Nullable(Float64), previous_date Nullable(Date), previous_entity Nullable(String)))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(greatest(as_of, toDate('2010-01-01')))
ORDER BY (user_id, as_of);

-- One row per user who has any day.
CREATE OR REPLACE VIEW progress_current AS
SELECT * FROM (SELECT * FROM progress ORDER BY user_id, version DESC LIMIT 1 BY user_id)
WHERE covered_days IS NOT NULL;
