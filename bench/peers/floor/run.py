"""A bare confluent-kafka loop with dicts. Nothing survives a crash but offsets; rows go out after a batch."""

import signal
import sys

import orjson
from confluent_kafka import Consumer, Producer

kafka, source, output, group, _ = sys.argv[1:6]
consumer = Consumer(
    {
        "bootstrap.servers": kafka,
        "group.id": group,
        "group.instance.id": f"{group}-1",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.message.max.bytes": 8 << 20,
        "queued.min.messages": 200_000,
    }
)
producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
consumer.subscribe([source])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
winners, days = {}, {}
names = ("energy_kcal", "protein_g", "carbs_g", "fat_g")
while True:
    changed = set()
    for message in consumer.consume(10_000, 0.1):
        if message.error():
            continue
        event = orjson.loads(message.value())
        user, data = event["subject"], event["data"]
        entity, revision = user + "|" + (event.get("entity") or event["id"]), event.get("revision", 1)
        old = winners.get(entity)
        if old is not None and old[0] >= revision:
            continue
        milli = round(data.get("portion", 1.0) * 1000)
        adds = [(sum(round((i.get(n) or 0) * 1000) for i in data["items"]) * milli + 500) // 1000 for n in names] + [1]
        day = user, event["time"][:10]
        if old is not None:
            days[old[1]] = [a - b for a, b in zip(days[old[1]], old[2])]
            changed.add(old[1])
        days[day] = [a + b for a, b in zip(days[day], adds)] if day in days else adds
        winners[entity] = revision, day, adds
        changed.add(day)
    for key in changed:
        e, p, c, f, n = days[key]
        row = {"user": key[0], "day": key[1], "energy_cal": e, "protein_mg": p, "carbs_mg": c, "fat_mg": f, "meals": n}
        producer.produce(output, orjson.dumps(row), key[0] + "|" + key[1])
        producer.poll(0)
    if changed:
        producer.flush()
        consumer.commit(asynchronous=True)
