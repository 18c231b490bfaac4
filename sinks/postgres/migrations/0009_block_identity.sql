-- A word of an admin is known by what it says and when, not by its place on the topic: a rebuild places it anew.
ALTER TABLE trending_blocks DROP CONSTRAINT trending_blocks_pkey, ADD PRIMARY KEY (kind, id, at, blocked);
DROP INDEX trending_blocks_kind_id_at_idx;
