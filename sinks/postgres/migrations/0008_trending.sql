-- Trending lists, each whole as the stream last sent it: the highest version per list. at: the stream's clock. An empty
-- list keeps its version, so that an older one cannot come back.
CREATE TABLE trending_lists (
    kind        text COLLATE "C" NOT NULL,   -- videos, creators, hashtags, sounds
    region      text COLLATE "C" NOT NULL,   -- ISO 3166-1 alpha-2, or all
    time_window text COLLATE "C" NOT NULL,   -- 1h, 24h, 7d
    version     bigint NOT NULL,
    at          timestamptz NOT NULL,
    entries     jsonb NOT NULL,
    PRIMARY KEY (kind, region, time_window)
);

-- One row per place, with the parts of its score.
CREATE VIEW trending AS
SELECT kind, region, time_window, place, id, score, observed, expected, views, unique_viewers, reactions, decay, creator,
       left_out, at, version
FROM trending_lists, ROWS FROM (jsonb_to_recordset(entries) AS (
    id text, score bigint, observed double precision, expected double precision, views bigint, unique_viewers bigint,
    reactions double precision, decay double precision, creator text, left_out bigint
)) WITH ORDINALITY AS listed (id, score, observed, expected, views, unique_viewers, reactions, decay, creator, left_out, place);

-- Who kept what off the lists, when and why, and who let it back: every word, in the order of the topic.
CREATE TABLE trending_blocks (
    "partition" integer NOT NULL,
    "offset"    bigint NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    blocked     boolean NOT NULL,
    by          text NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY ("partition", "offset")
);
CREATE INDEX ON trending_blocks (kind, id, at);

GRANT SELECT ON trending_lists, trending TO daybook_reader;
