-- What a user likes: weights in thousandths of a whole view, as of the hour of the user's latest event, halved for each
-- week before it. A row with no events says that nothing is left; it keeps its version, so that an older row cannot
-- come back.
CREATE TABLE user_tastes (
    user_id    text COLLATE "C" PRIMARY KEY,
    version    bigint NOT NULL,
    as_of      timestamptz,
    since      timestamptz,
    events     bigint NOT NULL,
    region     text,
    categories jsonb NOT NULL,   -- name → weight, at most 50
    creators   jsonb NOT NULL,
    hashtags   jsonb NOT NULL
) WITH (fillfactor = 85);

-- What a user may like and has not seen, the list whole as the stream last sent it.
CREATE TABLE user_recommendations (
    user_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    at      timestamptz NOT NULL,
    entries jsonb NOT NULL
) WITH (fillfactor = 85);

-- One row per place, with the parts of its score.
CREATE VIEW recommendations WITH (security_invoker = true) AS
SELECT user_id, rank, id, score, reason, coalesce(together, 0) AS together, coalesce(taste, 0) AS taste,
       coalesce(trending, 0) AS trending, because, both_like, nullif(place, 0) AS trending_place, region, category,
       creator, at, version
FROM user_recommendations, ROWS FROM (jsonb_to_recordset(entries) AS (
    id text, score bigint, reason text, together bigint, taste bigint, trending bigint, because text, "both" bigint,
    place bigint, region text, category text, creator text
)) WITH ORDINALITY AS listed (
    id, score, reason, together, taste, trending, because, both_like, place, region, category, creator, rank
);

ALTER TABLE user_tastes ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_recommendations ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON user_tastes FOR SELECT TO daybook_reader USING (user_id = current_setting('app.user', true));
CREATE POLICY own_rows ON user_recommendations FOR SELECT TO daybook_reader
    USING (user_id = current_setting('app.user', true));
GRANT SELECT ON user_tastes, user_recommendations, recommendations TO daybook_reader;
