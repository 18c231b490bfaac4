-- What days would say under a definition that is not in force: the shadow of a backfill, dropped with it.
CREATE TABLE IF NOT EXISTS backfill_values (
    run         UInt64                              COMMENT 'backfills.id in PostgreSQL',
    user_id     String,
    date        Date,
    slice       UInt32                              COMMENT 'of the first pass; 0: a later one',
    before      String                              COMMENT 'JSON of the metric as the definitions in force say it',
    after       String                              COMMENT 'JSON of it as the new definition says it',
    others      Array(LowCardinality(String))       COMMENT 'other columns that change with it',
    gone        Bool                                COMMENT 'nothing is left on that day',
    at          UInt64                              COMMENT 'when it was computed [ns since 1970 UTC]; the latest counts'
)
ENGINE = ReplacingMergeTree(at)
PARTITION BY run
ORDER BY (user_id, date);
