-- When a replay was refused: the first receipt, by which it was judged. received_at is that of the record that lies there.
ALTER TABLE rejected ADD COLUMN original_at timestamptz;

-- Refused events that were sent again to their topic, and where they lie there: one row each time, none is ever changed.
CREATE TABLE replayed (
    topic        text COLLATE "C" NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    to_partition integer NOT NULL,
    to_offset    bigint NOT NULL,
    replayed_at  timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset", to_partition, to_offset)
);
