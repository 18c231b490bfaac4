"""The topics that others may write and read, as AsyncAPI 3: `python -m schemas.asyncapi` writes schemas/asyncapi.json.

Made from the same tables as everything else: topics, event families, rows. What the streams keep for themselves
(changelogs, counts, hints) is no contract and not in it.
"""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from schemas import topics
from schemas.affinity import Recommendations, TasteRow
from schemas.envelope import type_of
from schemas.export import MODELS
from schemas.families import FAMILIES
from schemas.progress import Milestone, ProgressRow
from schemas.rows import DailyRow
from schemas.topics import Topic
from schemas.trending import TrendingList

FILE = Path(__file__).parent / "asyncapi.json"
ROWS: dict[Topic, type] = {
    topics.DAILY: DailyRow,
    topics.PROGRESS: ProgressRow,
    topics.MILESTONES: Milestone,
    topics.TRENDING: TrendingList,
    topics.AFFINITY: TasteRow,
    topics.RECOMMENDATIONS: Recommendations,
}
"""What leaves the streams: topic → its values, as JSON."""
_DRAFT = "application/schema+json;version=draft-2020-12"
_REF = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The whole document."""
    schemas, components = msgspec.json.schema_components(list(ROWS.values()), ref_template=_REF)
    for component in components.values():
        if "description" in component:  # a docstring, which Python takes out of its indentation since 3.13 only
            component["description"] = cleandoc(component["description"])
    rows = {topic.name: (topic, tp, schema) for (topic, tp), schema in zip(ROWS.items(), schemas, strict=True)}
    events = {topic.name: topic for topic in topics.SOURCES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Daybook",
            "version": "1.0.0",
            "description": "Events in, absolute versioned rows out. Consumers read committed (isolation.level)"
            " and keep, per key, the row with the highest version; a missing value is left out, never zero.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            **{name: _channel(topic, _types(name)) for name, topic in events.items()},
            **{name: _channel(topic, [tp.__name__]) for name, (topic, tp, _) in rows.items()},
        },
        "operations": {
            **{f"take-{name}": _operation("receive", name, "Daybook takes them") for name in events},
            **{f"say-{name}": _operation("send", name, "Daybook says them") for name in rows},
        },
        "components": {
            "messages": {
                **{name: _event(name) for name in MODELS},
                **{tp.__name__: _row(topic, tp, schema) for topic, tp, schema in rows.values()},
            },
            "schemas": components,
        },
    }


def text() -> str:
    """The file's text."""
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _types(family: str) -> list[str]:
    """The messages of a family's topic: its event types, and the older versions that are still taken."""
    names = {type_of(model) for model in FAMILIES[family]}
    return [name for name in MODELS if name.partition(".v")[0] in names]


def _channel(topic: Topic, messages: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {"cleanup.policy": [topic.config["cleanup.policy"]]}
    if topic.keep is not None:
        config["retention.ms"] = int(topic.config["retention.ms"])
    return {
        "address": topic.name,
        "description": topic.what,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": config, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, name: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "summary": summary}


def _event(name: str) -> dict[str, Any]:
    return {
        "name": name.partition(".v")[0],
        "contentType": "application/cloudevents+json",
        "payload": {"schemaFormat": _DRAFT, "schema": {"$ref": f"./json/{name}.json"}},
        "bindings": {"kafka": _key("subject")},
    }


def _row(topic: Topic, tp: type, schema: dict[str, Any]) -> dict[str, Any]:
    payload = {"schemaFormat": _DRAFT, "schema": schema}
    return {"name": tp.__name__, "summary": topic.what, "payload": payload, "bindings": {"kafka": _key(topic.key)}}


def _key(what: str) -> dict[str, Any]:
    return {"key": {"type": "string", "description": what}, "bindingVersion": "0.5.0"}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
