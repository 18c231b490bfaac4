-- Every accepted event, as it came (raw) and typed. Partitioned and expired by receipt: raw events are kept for 90 days,
-- views for 7. A replay of the same place on the same topic is the same row. The order makes the versions of one entity
-- neighbours, the winner by rule 1 (revision, is-delete, digest) last.
CREATE TABLE IF NOT EXISTS events (
    topic           LowCardinality(String),
    partition       Int32,
    offset          Int64,
    received_at     DateTime64(3, 'UTC')                COMMENT 'broker''s append time',
    subject         String                              COMMENT 'user id',
    id              String                              COMMENT 'CloudEvents id; resending keeps it',
    source          LowCardinality(String)              COMMENT 'platform/version',
    type            LowCardinality(String),
    entity          String                              COMMENT 'what the event is about',
    register        String                              COMMENT 'plans: first day it is valid on, or ended; else empty',
    revision        UInt32,
    deleted         Bool,
    digest          FixedString(16)                     COMMENT 'start of SHA-256 over the canonical content',
    time            DateTime64(3, 'UTC'),
    utc_offset_min  Nullable(Int16)                     COMMENT 'null: time was written with Z',
    timezone        LowCardinality(Nullable(String)),
    sentat          Nullable(DateTime64(3, 'UTC'))      COMMENT 'device clock at sending',
    warnings        Array(String)                       COMMENT 'paths of implausible values, which count as missing',
    kind            LowCardinality(Nullable(String))    COMMENT 'of workout or reaction, meal type, or metric of a goal',
    energy_kcal     Nullable(Float64)                   COMMENT 'of a meal: sum of items × portion',
    protein_g       Nullable(Float64),
    carbs_g         Nullable(Float64),
    fat_g           Nullable(Float64),
    fibre_g         Nullable(Float64),
    water_ml        Nullable(Float64),
    duration_s      Nullable(Float64)                   COMMENT 'of a workout or an activity interval',
    calories_kcal   Nullable(Float64)                   COMMENT 'burned in a workout or an activity interval',
    volume_kg       Nullable(Float64)                   COMMENT 'of a workout: sum of reps × load',
    steps           Nullable(Int64),
    active_minutes  Nullable(Float64),
    distance_m      Nullable(Float64),
    asleep_s        Nullable(Float64),
    in_bed_s        Nullable(Float64),
    weight_kg       Nullable(Float64),
    body_fat_pct    Nullable(Float64),
    waist_cm        Nullable(Float64),
    target          Nullable(Float64)                   COMMENT 'of a goal',
    effective_from  Nullable(Date32),
    effective_until Nullable(Date32),
    content         Nullable(String)                    COMMENT 'video',
    creator         Nullable(String),
    hashtags        Array(String),
    sound           Nullable(String),
    category        LowCardinality(Nullable(String)),
    region          LowCardinality(Nullable(String)),
    watched_s       Nullable(Float64),
    length_s        Nullable(Float64),
    raw             String CODEC(ZSTD(3))               COMMENT 'the bytes as they came'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (subject, topic, entity, register, revision, deleted, digest, partition, offset)
PRIMARY KEY (subject, topic, entity)
TTL toDateTime(received_at) + toIntervalDay(if(topic = 'views', 7, 90));

-- What counts now: per entity the winning event among those still kept, edits applied, deleted ones left out.
CREATE OR REPLACE VIEW events_current AS
SELECT * FROM (
    SELECT * FROM events
    ORDER BY subject DESC, topic DESC, entity DESC, register DESC, revision DESC, deleted DESC, digest DESC
    LIMIT 1 BY subject, topic, entity, register
)
WHERE NOT deleted;
