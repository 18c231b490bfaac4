"""Every number of the runtime that can be turned, with its unit and what it trades."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the runtime fetches, folds, flushes and gives up."""

    fetch_bytes: int = 1 << 20
    """Most that one fetch takes of one partition; the size of a chunk on the wire."""
    fetch_min_bytes: int = 1
    """A fetch waits at the broker until there is so much, `fetch_max_wait_ms` at most. What a chunk costs does not
    depend on what is in it, so a stream that flushes seldom has few large ones for as much latency."""
    fetch_max_wait_ms: int = 50
    """How long a fetch waits at the broker for new records; part of the latency when some partitions are idle."""
    queue_chunks: int = 4
    """Chunks that wait in front of the agent; together with one prefetched a partition, the memory of the input."""
    slice_records: int = 2_000
    """Records folded between two turns of the event loop."""
    flush_interval_s: float = 0.05
    """Shortest time between two transactions of one partition; after a pause the first goes at once."""
    flushes_at_once: int = 1_000
    """How many partitions of a table may flush at the same time; 1 for a stream whose drains take long."""
    max_uncommitted_chunks: int = 8
    """Folding a partition waits when so many of its chunks are not committed."""
    transaction_timeout_s: float = 30.0
    """A transaction that takes longer ends the process."""
    compression: str | None = None
    """Of the written batches: None, gzip, snappy, lz4 or zstd."""
    rejects_share: float = 0.5
    """A worker stops when more than this of the last 10,000 or so events of a source partition were refused."""
    rejects_run: int = 1_000
    """It stops too when so many in a row were refused; 0: never for that."""
    attempts: int = 5
    retry_pause_s: float = 0.2
    """First pause before a failed fold is tried again; doubles each time."""
    session_timeout_s: float = 6.0
    """The group takes a member for dead after so long without a heartbeat."""
    heartbeat_interval_s: float = 1.5
    rebalance_timeout_s: float = 60.0
    """How long a member may take to finish what is in flight when partitions move."""
    request_timeout_s: float = 40.0
    standbys: int = 0
    """How many other workers follow each partition's changelog, so that one that takes over reads only the tail. Each
    costs the memory of the state once more."""
    commit_interval_s: float = 1.0
    """How often the group's offsets follow the watermarks; only tools that show lag read them."""
    check_crcs: bool = True
    stuck_after_s: float = 300.0
    """A chunk that is not committed after so long ends the process."""
    frozen_after_s: float = 3_600.0
    """A process that stood still so long ends: its memory may miss tombstones that are gone by now (rule 15)."""
    verify_every_s: float = 30.0
    """How often the ids of the source topics are looked at."""
    collect_every_flushes: int = 64
    log_every_s: float = 10.0
    """Least time between two lines in the log about what a partition committed; what lies between is summed up."""


FEW_LARGE_CHUNKS = {"fetch_min_bytes": 1 << 20, "fetch_max_wait_ms": 100}
"""For streams that flush a few times a second: what more chunks would cost gains them nothing."""
