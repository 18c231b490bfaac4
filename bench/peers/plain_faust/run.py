"""Faust as its documentation teaches it: an agent, two tables (RocksDB, changelog), a row sent per change."""

import asyncio
import sys

import faust
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

kafka, source, output, group, state = sys.argv[1:6]
sys.argv = [sys.argv[0], "worker", "--loglevel", "warn", "--without-web"]
app = faust.App(
    group,
    broker=f"kafka://{kafka}",
    store="rocksdb://",
    datadir=state,
    topic_partitions=8,
    topic_disable_leader=True,
    web_enabled=False,
    value_serializer="json",
    key_serializer="raw",
    consumer_auto_offset_reset="earliest",
    stream_wait_empty=False,
    broker_max_poll_records=10_000,
    producer_linger=0.02,
    consumer_group_instance_id=f"{group}-1",
)
meals = app.topic(source, key_type=bytes, value_serializer="json", partitions=8)
rows = app.topic(output, key_type=bytes, value_serializer="json")
winners = app.Table("winners", partitions=8)
days = app.Table("days", partitions=8)
NAMES = ("energy_kcal", "protein_g", "carbs_g", "fat_g")


async def make_changelogs():
    """Beforehand: a worker that makes them itself may be assigned partitions before the broker shows them, and ends."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    names = {f"{group}-{table.name}-changelog" for table in (winners, days)}
    if missing := names - set(await admin.list_topics()):
        await admin.create_topics(
            [NewTopic(name, 8, 1, topic_configs={"cleanup.policy": "compact"}) for name in missing]
        )
        await asyncio.sleep(1)
    await admin.close()


async def send(day, totals):
    user, date = day.split("|")
    e, p, c, f, n = totals
    row = {"user": user, "day": date, "energy_cal": e, "protein_mg": p, "carbs_mg": c, "fat_mg": f, "meals": n}
    await rows.send(key=day.encode(), value=row)


@app.agent(meals)
async def fold(stream):
    async for event in stream:
        user, data = event["subject"], event["data"]
        entity, revision = user + "|" + (event.get("entity") or event["id"]), event.get("revision", 1)
        old = winners.get(entity)
        if old is not None and old[0] >= revision:
            continue
        milli = round(data.get("portion", 1.0) * 1000)
        adds = [(sum(round((i.get(n) or 0) * 1000) for i in data["items"]) * milli + 500) // 1000 for n in NAMES] + [1]
        day = user + "|" + event["time"][:10]
        if old is not None:
            days[old[1]] = [a - b for a, b in zip(days[old[1]], old[2])]
            if old[1] != day:
                await send(old[1], days[old[1]])
        totals = days.get(day)
        days[day] = adds if totals is None else [a + b for a, b in zip(totals, adds)]
        winners[entity] = [revision, day, adds]
        await send(day, days[day])


asyncio.run(make_changelogs())
app.main()
