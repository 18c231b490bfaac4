"""The Python client, driven by lines of JSON (tests/clients/README.md)."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from producers.client import Client


def main() -> None:
    """Arguments: the service's address, the outbox' file, tokens with commas between."""
    address, file, tokens = sys.argv[1:]
    each = itertools.chain(tokens.split(","), itertools.repeat(tokens.split(",")[-1]))
    client = Client(address, lambda: next(each), Path(file), exit_s=0.2, longest_s=0.3)
    for line in sys.stdin:
        command = json.loads(line)
        answer: Any = None
        match command["do"]:
            case "send":
                client.send(*command["events"])
            case "flush":
                answer = client.flush(command["seconds"])
            case "waiting":
                answer = client.waiting()
            case "refused":
                answer = [[json.loads(one.event)["id"], one.pointer, one.reason] for one in client.refused()]
            case "skew":
                answer = client.skew_s
            case "close":
                client.close()
        print(json.dumps(answer), flush=True)


main()
