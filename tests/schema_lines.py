"""What Schemathesis is told of our media types: JSON lines are sent as they are."""

from __future__ import annotations

from typing import Any

import schemathesis

from api.parts import LINES


@schemathesis.serializer(*LINES)
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body of JSON lines."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
