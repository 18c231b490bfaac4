"""JSON Schema of every event type, generated from the models: `python -m schemas.export` writes schemas/json/."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.families import MODEL_OF

FOLDER = Path(__file__).parent / "json"


def json_schema(type_name: str) -> str:
    """The JSON Schema (draft 2020-12) of one event type, as text ending in a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | MODEL_OF[type_name].model_json_schema()
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write all of them."""
    folder.mkdir(exist_ok=True)
    for name in MODEL_OF:
        (folder / f"{name}.json").write_text(json_schema(name), encoding="utf-8")


if __name__ == "__main__":
    write()
