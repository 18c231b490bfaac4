"""runtime: Faust for folds, one chunk at a time, exact and fast (docs/adr for why).

in         transport/ delivers a chunk per fetched partition, loop.py hands it to an agent, table.py folds it in slices
state      a PartitionState (streams/state.py), pure; store.py and recovery.py restore it before anything is folded
out        flush.py: a partition's rows, state, rejects and watermark in one fenced transaction (producer.py, fence.py)
start      app.make_app, fold_table, chunked_topic; worker.run_worker; admission.py says what a worker refuses
promise    every source record is in the state and rows exactly once, or the process has stopped (streams/stop.py) and
           the next one goes on from the last commit; numbers to turn are in tuning.py
"""

from streams.runtime.app import chunked_topic, fold_table, make_app
from streams.runtime.chunkapp import ChunkApp
from streams.runtime.loop import chunks
from streams.runtime.table import ChunkTable
from streams.runtime.tuning import FEW_LARGE_CHUNKS, Tuning
from streams.runtime.worker import run_worker
from streams.state import Counts, Drained, PartitionState, Records

__all__ = [
    "FEW_LARGE_CHUNKS",
    "ChunkApp",
    "ChunkTable",
    "Counts",
    "Drained",
    "PartitionState",
    "Records",
    "Tuning",
    "chunked_topic",
    "chunks",
    "fold_table",
    "make_app",
    "run_worker",
]
