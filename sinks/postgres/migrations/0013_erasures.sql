-- Erasures, begun and finished (docs/how-to/erase.md). No name stands here: keyed hashes only.
CREATE TABLE erasures (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     text COLLATE "C" NOT NULL,   -- keyed hash
    begun_at    timestamptz NOT NULL,
    found       jsonb NOT NULL,              -- store/table → rows before the first try
    finished_at timestamptz,
    receipt     jsonb                        -- signed
);
CREATE UNIQUE INDEX erasures_open ON erasures (subject) WHERE finished_at IS NULL;
