-- Events that were refused, as they came, with the reason: to be listed, fixed and replayed.
CREATE TABLE rejected (
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    received_at timestamptz NOT NULL,
    reason      text NOT NULL,
    path        text NOT NULL,
    raw         bytea,
    key         bytea,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX rejected_by_receipt ON rejected (received_at);
