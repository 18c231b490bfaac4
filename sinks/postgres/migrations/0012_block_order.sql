-- Which of the words on an item holds: the one that came last on the topic, as stage two has it, whatever its sender's clock said.
ALTER TABLE trending_blocks ADD COLUMN filed bigint GENERATED ALWAYS AS IDENTITY;
COMMENT ON COLUMN trending_blocks.filed IS 'Ascending in the order of the topic; of the words on an item the highest holds';
