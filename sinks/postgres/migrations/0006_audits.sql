-- What the role audit found wrong and saw repaired: written by it alone. For operators: nobody else is granted anything.
CREATE TABLE audits (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    found_at    timestamptz NOT NULL DEFAULT now(),
    store       text NOT NULL,      -- postgres, clickhouse, redis, or entities (of ClickHouse)
    user_id     text COLLATE "C" NOT NULL,
    what        text NOT NULL,      -- the local day, or the entity's key as user|family|entity
    cause       text NOT NULL,      -- a guess: lost, older, altered (by the store), or stream (all stores agree, and are wrong)
    expected    jsonb NOT NULL,     -- columns that differ
    found       jsonb NOT NULL,
    repaired_at timestamptz         -- when it was seen to be right again, after a hint to the owner
);
CREATE INDEX audits_open ON audits (store, user_id, what) WHERE repaired_at IS NULL;
