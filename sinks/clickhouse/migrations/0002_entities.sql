-- The winner of every entity with what it contributes, in base units: the ledger of the daily stream, for repair, verify
-- and explain. No TTL: it lives as long as the daily rows that rest on it. Deletes stay as tombstones.
CREATE TABLE IF NOT EXISTS entities (
    subject         String,
    family          LowCardinality(String),
    entity          String,
    register        String                              COMMENT 'plans: first day it is valid on, or ended; else empty',
    type            LowCardinality(String),
    revision        UInt32,
    deleted         Bool,
    digest          FixedString(16),
    time            DateTime64(3, 'UTC'),
    utc_offset_min  Nullable(Int16)                     COMMENT 'null: time was written with Z',
    timezone        LowCardinality(Nullable(String)),
    source          LowCardinality(String),
    contribution    String                              COMMENT 'JSON: values in base units by name, absent if missing; tail',
    ver             UInt256                             COMMENT 'revision, is-delete, digest as one number: rule 1''s order'
)
ENGINE = ReplacingMergeTree(ver)
ORDER BY (subject, family, entity, register);

-- One row per entity, tombstones included (see deleted).
CREATE OR REPLACE VIEW entities_current AS
SELECT * FROM entities FINAL;

-- How far the daily stream had folded each source partition when the entities here were written.
CREATE TABLE IF NOT EXISTS positions (
    topic           LowCardinality(String),
    partition       Int32,
    generation      UInt32,
    flush           UInt64,
    topic_id        String,
    next_offset     Int64                               COMMENT 'first offset that is not folded yet',
    received        Int64                               COMMENT '= applied + duplicate + superseded + rejected',
    applied         Int64,
    duplicate       Int64,
    superseded      Int64,
    rejected        Int64,
    version         UInt64                              COMMENT 'generation << 40 | flush; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, partition);

CREATE OR REPLACE VIEW positions_current AS
SELECT * FROM positions FINAL;
