"""One run over a load that lies in the topic: how fast, at what cost, and whether right; with kill -9 on the way too.

Nothing is asked of the peer. Times are append times of its rows, on the broker's clock; the rows are read as soon as it
is quiet, and compared with the offline answer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers import rates
from bench.peers.install import Say
from bench.peers.job import Wrong, differences
from bench.peers.loads import Load, broker
from bench.peers.peers import Peer
from bench.peers.process import Running
from bench.peers.rows import Rows

LOOK_S, QUIET_S = 0.1, 1.0
"""How often the end of the rows is asked for, and after how long without a new one they are read."""
DONE_S = 8.0
"""No new row for so long, and still not right: it is done, and wrong; or stuck, and the rows say so."""
FIRST_ROW_S = 90.0
LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    events_per_second: float
    cpu_s_per_million: float
    broker_cpu_s_per_million: float
    peak_mib: float
    rows: int
    end: int
    """Records in the output topic, markers of transactions included."""
    wrong: Wrong
    killed: bool = False
    restart_s: float | None = None
    """From the start after kill -9 to the first committed row; None: was not killed, or nothing came."""
    said: str = ""
    """The end of its log, where it ended by itself or wrote no row."""


def run(
    peer: Peer,
    load: Load,
    work: Path,
    cores: tuple[int | None, int | None],
    say: Say,
    kill_at: int | None = None,
) -> Outcome:
    """One run. `cores`: the broker's and the peer's. `kill_at`: records in the output topic at which the peer is killed
    with -9 and started again."""
    answer = load.answer
    with broker(load.folder, work, cores[0]) as server:
        kafka, broker_samples = server.kafka, list[tuple[float, float]]()
        rows, peer_runs, restarted = Rows(kafka), Running(peer, kafka, load.topic, work, cores[1], say), None
        try:
            began = changed = time.time()
            end, unread, said = 0, False, ""
            while True:
                time.sleep(LOOK_S)
                peer_runs.sample()
                broker_samples.append((time.time(), server.cpu_s()))
                now, found = time.time(), rows.end()
                if found != end:
                    end, changed, unread = found, now, True
                if kill_at is not None and restarted is None and end >= kill_at:
                    peer_runs.kill()
                    peer_runs.start()
                    changed = restarted = time.time()
                if unread and now - changed >= QUIET_S and (kill_at is None or restarted is not None):
                    rows.read()
                    unread = False
                    if not differences(rows.found, answer).days:
                        break
                if peer_runs.ended() is not None or (not end and now - began > FIRST_ROW_S):
                    said = peer_runs.last_words()
                    break
                if now - began > LONGEST_S or (now - changed > _patience(rows, end, restarted)):
                    break
        finally:
            peer_runs.kill()
        rows.read()
    window = rates.steady(rows.folded, sum(day.meals for day in answer.values()), load.events)
    return Outcome(
        rates.rate(window),
        rates.cpu_per_million(window, peer_runs.samples),
        rates.cpu_per_million(window, broker_samples),
        peer_runs.peak_mib,
        rows.count,
        end,
        differences(rows.found, answer),
        restarted is not None,
        None if restarted is None else _restart(rows, restarted),
        said,
    )


def _patience(rows: Rows, end: int, restarted: float | None) -> float:
    """How long nothing may come. A restart may have to wait until the group gives up the one that was killed."""
    return DONE_S if end and (restarted is None or _restart(rows, restarted) is not None) else FIRST_ROW_S


def _restart(rows: Rows, restarted: float) -> float | None:
    """Seconds until the first row after it. What was under way at the kill lands within a tenth of a second."""
    return min((at / 1000 - restarted for at in rows.times if at / 1000 - restarted > 0.1), default=None)
