"""Flink SQL with mini-batches and checkpoints: the highest revision per meal, its items unnested, sums per day."""

import sys
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

kafka, source, output, group, state_dir, jar = sys.argv[1:7]
table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
done = sorted(Path(state_dir, "checkpoints").glob("*/chk-*/_metadata"), key=lambda file: file.stat().st_mtime)
for name, value in {
    "pipeline.jars": f"file://{jar}",
    "parallelism.default": "1",
    "pipeline.object-reuse": "true",
    "execution.checkpointing.interval": "5s",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "execution.checkpointing.dir": f"file://{state_dir}/checkpoints",
    "state.backend.type": "hashmap",
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "100 ms",
    "table.exec.mini-batch.size": "5000",
    **({"execution.state-recovery.path": f"file://{done[-1].parent}"} if done else {}),  # started again after a crash
}.items():
    table.get_config().set(name, value)
table.execute_sql(f"""create table meals (
  id string, subject string, `time` string, entity string, revision int,
  `data` row<`portion` double, items array<row<energy_kcal double, protein_g double, carbs_g double, fat_g double>>>
) with ('connector'='kafka','topic'='{source}','properties.bootstrap.servers'='{kafka}','properties.group.id'='{group}',
  'scan.startup.mode'='earliest-offset','format'='json')""")
table.execute_sql(f"""create table days (
  `user` string, `day` string, energy_cal bigint, protein_mg bigint, carbs_mg bigint, fat_mg bigint, meals bigint,
  primary key (`user`, `day`) not enforced
) with ('connector'='upsert-kafka','topic'='{output}','properties.bootstrap.servers'='{kafka}',
  'key.format'='json','value.format'='json','properties.linger.ms'='20')""")
table.execute_sql("""create temporary view winners as
select subject, meal, `day`, `data` from (
  select *, row_number() over (partition by subject, meal order by revision desc) as n from (
    select subject, coalesce(entity, id) as meal, substring(`time`, 1, 10) as `day`,
           coalesce(revision, 1) as revision, `data`
    from meals))
where n = 1""")
per_item = ", ".join(
    f"sum(cast(round(coalesce({name}, 0) * 1000, 0) as bigint)) as {short}"
    for name, short in (("energy_kcal", "e"), ("protein_g", "p"), ("carbs_g", "c"), ("fat_g", "f"))
)
table.execute_sql(f"""create temporary view per_meal as
select subject, meal, `day`, milli, {per_item} from (
  select w.subject, w.meal, w.`day`, cast(round(coalesce(w.`data`.`portion`, 1.0) * 1000, 0) as bigint) as milli,
         i.energy_kcal, i.protein_g, i.carbs_g, i.fat_g
  from winners w cross join unnest(w.`data`.items) as i (energy_kcal, protein_g, carbs_g, fat_g))
group by subject, meal, `day`, milli""")
table.execute_sql("""insert into days
select subject, `day`, sum((e * milli + 500) / 1000), sum((p * milli + 500) / 1000), sum((c * milli + 500) / 1000),
       sum((f * milli + 500) / 1000), count(*) from per_meal group by subject, `day`""").wait()
