"""How fast one sender may go. Pure: a sliding window made of two fixed ones, as most gateways count.

The window before counts by the part of it that the sliding window still covers. What is refused costs nothing.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import NamedTuple

WINDOW_S = 60


class Verdict(NamedTuple):
    """Whether it may, and what its headers say."""

    allowed: bool
    left: int
    """What it may still send in this window."""
    again_s: int
    """When the window is over; for one who was refused, when the same is allowed if nothing else is sent."""


def judge(limit: int, before: int, current: int, cost: int, now_s: float) -> Verdict:
    """`before`, `current`: what was allowed in the window before this one, and in this one so far."""
    gone = now_s % WINDOW_S
    used = before * (1 - gone / WINDOW_S) + current
    if used + cost <= limit:
        return Verdict(True, int(limit - used - cost), math.ceil(WINDOW_S - gone))
    over = used + cost - limit
    # `before` fades by before/WINDOW_S a second; what this window holds begins to fade when it is over
    if before and over <= before * (1 - gone / WINDOW_S):
        wait = over * WINDOW_S / before
    else:
        rest = max(0.0, current + cost - limit)
        wait = WINDOW_S - gone + (rest * WINDOW_S / current if current else 0.0)
    return Verdict(False, max(0, int(limit - used)), max(1, math.ceil(wait)))


def counted(host: str | None) -> str:
    """The part of a client's address that is counted: of IPv6 the first 64 bits: one customer has the rest (RFC 6177).

    >>> counted("192.0.2.7"), counted("2001:db8:1:2:3::4"), counted("::ffff:192.0.2.7"), counted(None)
    ('192.0.2.7', '2001:db8:1:2::', '192.0.2.7', '')
    """
    try:
        found = ipaddress.ip_address(host or "")
    except ValueError:
        return host or ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((int(found), 64), strict=False).network_address)


class Local:
    """The counts of one process, for when Redis is away; the senders seen last."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        """Sender → window, count in the one before, count in it."""

    def take(self, sender: str, limit: int, cost: int, now_s: float, *, count: bool = True) -> Verdict:
        """Judge, and count what is allowed."""
        window = int(now_s // WINDOW_S)
        then, before, current = self._counts.get(sender, (window, 0, 0))
        if then != window:
            before, current = (current if then == window - 1 else 0), 0
        found = judge(limit, before, current, cost, now_s)
        self._counts[sender] = (window, before, current + cost * (count and found.allowed))
        self._counts.move_to_end(sender)
        if len(self._counts) > self._most:
            self._counts.popitem(last=False)
        return found


def headers(name: str, limit: int, found: Verdict) -> dict[str, str]:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), and Retry-After where it was refused.

    >>> headers("events", 10, Verdict(False, 0, 7))["RateLimit"]
    '"events";r=0;t=7'
    """
    said = {
        "RateLimit-Policy": f'"{name}";q={limit};w={WINDOW_S}',
        "RateLimit": f'"{name}";r={found.left};t={found.again_s}',
    }
    return said if found.allowed else said | {"Retry-After": str(found.again_s)}
