"""Quix Streams as its documentation teaches it: a stateful function per user (RocksDB, changelog), a row per change."""

import sys

from quixstreams import Application

kafka, source, output, group, state_dir = sys.argv[1:6]
app = Application(
    broker_address=kafka,
    consumer_group=group,
    auto_offset_reset="earliest",
    loglevel="WARNING",
    state_dir=state_dir,
    commit_interval=1.0,
    processing_guarantee=sys.argv[6] if len(sys.argv) > 6 else "at-least-once",
    producer_extra_config={"linger.ms": 20},
    consumer_extra_config={"group.instance.id": f"{group}-1"},
)
NAMES = ("energy_kcal", "protein_g", "carbs_g", "fat_g")


def row(user, day, totals):
    e, p, c, f, n = totals
    return {"user": user, "day": day, "energy_cal": e, "protein_mg": p, "carbs_mg": c, "fat_mg": f, "meals": n}


def fold(event, state):
    user, data, revision = event["subject"], event["data"], event.get("revision", 1)
    entity = "m" + (event.get("entity") or event["id"])
    old = state.get(entity)
    if old is not None and old[0] >= revision:
        return []
    milli = round(data.get("portion", 1.0) * 1000)
    adds = [(sum(round((i.get(n) or 0) * 1000) for i in data["items"]) * milli + 500) // 1000 for n in NAMES] + [1]
    day, out = event["time"][:10], []
    if old is not None:
        left = [a - b for a, b in zip(state.get("d" + old[1]), old[2])]
        state.set("d" + old[1], left)
        if old[1] != day:
            out.append(row(user, old[1], left))
    totals = state.get("d" + day)
    totals = adds if totals is None else [a + b for a, b in zip(totals, adds)]
    state.set("d" + day, totals)
    state.set(entity, [revision, day, adds])
    out.append(row(user, day, totals))
    return out


stream = app.dataframe(app.topic(source, value_deserializer="json"))
stream = stream.apply(fold, stateful=True, expand=True)
stream.to_topic(app.topic(output, value_serializer="json"), key=lambda r: r["user"] + "|" + r["day"])
app.run()
