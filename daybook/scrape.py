"""The metrics of a worker on this machine, read as Prometheus reads them."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 8.0
"""A worker that cannot reach Kafka says so after six."""


class Sample(NamedTuple):
    """One value with its labels."""

    labels: Mapping[str, str]
    value: float


Scraped = dict[str, list[Sample]]
"""Name as it stands in the text → its samples."""


def scrape(address: str | None, timeout_s: float = TIMEOUT_S) -> Scraped:
    """All samples; empty if nobody answers."""
    if address is None:
        return {}
    try:
        with urllib.request.urlopen(address, timeout=timeout_s) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: Scraped = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
    return found


def most(scraped: Scraped, name: str) -> float | None:
    """The highest value of a metric; None where there is none."""
    return max((sample.value for sample in scraped.get(name, ())), default=None)


def total(scraped: Scraped, name: str, **labels: str) -> float | None:
    """The sum over the samples that carry these labels; None where there are none."""
    found = [s.value for s in scraped.get(name, ()) if labels.items() <= s.labels.items()]
    return sum(found) if found else None
