-- What plans and goals say of a day, which source counted, and what the row rests on (docs/metrics.md).
ALTER TABLE user_metrics_daily
    ADD COLUMN meal_plan_adherence_pct    double precision,
    ADD COLUMN workout_plan_adherence_pct double precision,
    ADD COLUMN planned                    jsonb,   -- meal:SLOT, workout:ITEM → how, pct, entity
    ADD COLUMN rest_day                   boolean,
    ADD COLUMN goals                      jsonb,   -- goal → metric, target, actual, delta, hit, ...
    ADD COLUMN left_out                   jsonb,   -- workout:ENTITY, sleep:ENTITY → the entity that counts
    ADD COLUMN coverage                   text,
    ADD COLUMN meals_coverage             text,
    ADD COLUMN activity_coverage          text,
    ADD COLUMN sleep_coverage             text;

-- One row per user, day and goal. A view: it can never disagree with the day, and costs no second write. Who reads on
-- behalf of one user sees that user's goals, as in the table.
CREATE VIEW user_goals WITH (security_invoker = true) AS
SELECT user_id, date, each.key AS goal,
       each.value ->> 'metric' AS metric,
       (each.value ->> 'target')::double precision AS target,
       each.value ->> 'direction' AS direction,
       (each.value ->> 'tolerance_pct')::double precision AS tolerance_pct,
       (each.value ->> 'effective_from')::date AS effective_from,
       (each.value ->> 'actual')::double precision AS actual,
       (each.value ->> 'delta')::double precision AS delta,
       (each.value ->> 'hit')::boolean AS hit,
       version
FROM user_metrics_daily, jsonb_each(goals) AS each;
GRANT SELECT ON user_goals TO daybook_reader;
