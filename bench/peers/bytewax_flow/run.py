"""Bytewax as its documentation teaches it: a keyed stateful map per user, recovery on, rows to a Kafka sink."""

import sys
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

kafka, source, output, group, state_dir = sys.argv[1:6]
NAMES = ("energy_kcal", "protein_g", "carbs_g", "fat_g")


def parse(message):
    event = orjson.loads(message.value)
    data = event["data"]
    milli = round(data.get("portion", 1.0) * 1000)
    adds = [(sum(round((i.get(n) or 0) * 1000) for i in data["items"]) * milli + 500) // 1000 for n in NAMES] + [1]
    entity = event.get("entity") or event["id"]
    return event["subject"], (entity, event.get("revision", 1), event["time"][:10], adds)


def fold(state, meal):
    winners, days = state if state is not None else ({}, {})
    entity, revision, day, adds = meal
    old = winners.get(entity)
    if old is not None and old[0] >= revision:
        return (winners, days), []
    out = []
    if old is not None:
        days[old[1]] = [a - b for a, b in zip(days[old[1]], old[2])]
        if old[1] != day:
            out.append((old[1], days[old[1]]))
    days[day] = [a + b for a, b in zip(days[day], adds)] if day in days else adds
    winners[entity] = (revision, day, adds)
    out.append((day, days[day]))
    return (winners, days), out


def rows(entry):
    user, out = entry
    found = []
    for day, (e, p, c, f, n) in out:
        row = {"user": user, "day": day, "energy_cal": e, "protein_mg": p, "carbs_mg": c, "fat_mg": f, "meals": n}
        found.append(KafkaSinkMessage(f"{user}|{day}".encode(), orjson.dumps(row)))
    return found


flow = Dataflow("daily")
stream = op.input("in", flow, KafkaSource([kafka], [source], starting_offset=-2, batch_size=10_000))
stream = op.map("parse", stream, parse)
stream = op.stateful_map("fold", stream, fold)
stream = op.flat_map("rows", stream, rows)
op.output("out", stream, KafkaSink([kafka], output))

Path(state_dir).mkdir(parents=True, exist_ok=True)
if not any(Path(state_dir).iterdir()):
    init_db_dir(Path(state_dir), 1)
recovery = RecoveryConfig(state_dir, backup_interval=timedelta(0))
cli_main(flow, workers_per_process=1, epoch_interval=timedelta(seconds=1), recovery_config=recovery)
