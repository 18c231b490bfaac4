-- Backfills: metrics whose definition is being changed (docs/how-to/backfill.md). No person stands here.
CREATE TABLE backfills (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric     text NOT NULL,
    version    integer NOT NULL,
    parameters jsonb NOT NULL,              -- the definition's new parameters
    since      date,                        -- null: from the first day on
    until      date,                        -- null: all days to come
    base       bigint NOT NULL,             -- number of the definitions that it was compared with
    state      text NOT NULL CHECK (state IN ('shadow', 'ready', 'swapping', 'done', 'dropped')),
    slices     integer NOT NULL DEFAULT 0,  -- complete ones of the first pass
    swept      boolean NOT NULL DEFAULT false,
    seen_to    bigint NOT NULL DEFAULT 0,   -- what changed later, by ClickHouse's clock [s since 1970], is not looked at yet
    days       bigint NOT NULL DEFAULT 0,   -- looked at so far
    diff       jsonb,
    begun_at   timestamptz NOT NULL DEFAULT now(),
    worked_at  timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX backfills_swapping ON backfills ((true)) WHERE state = 'swapping';
