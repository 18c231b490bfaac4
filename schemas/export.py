"""JSON Schema of every event type and version, from the models: `python -m schemas.export` writes schemas/json/."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.envelope import Envelope
from schemas.families import MODEL_OF
from schemas.versions import OLDER

FOLDER = Path(__file__).parent / "json"


MODELS: dict[str, type[Envelope]] = MODEL_OF | {
    f"{name}.v{version}": model for name, older in OLDER.items() for version, model in older.items()
}
"""Name of the file → model: every event type, and the older versions that are still taken."""


def json_schema(name: str) -> str:
    """The JSON Schema (draft 2020-12) of one of MODELS, as text ending in a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | MODELS[name].model_json_schema()
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write all of them."""
    folder.mkdir(exist_ok=True)
    for name in MODELS:
        (folder / f"{name}.json").write_text(json_schema(name), encoding="utf-8")


if __name__ == "__main__":
    write()
