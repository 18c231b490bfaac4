from streams.progress.milestones import Shown
from streams.progress.records import Held
from streams.progress.streaks import Run
from streams.progress.windows import Load

def record_said(name: str, held: Held) -> bytes: ...
def streak_said(name: str, shown: Shown, best: Run) -> bytes: ...
def strength_said(lifts: dict[int, dict[str, float]], as_of: int) -> bytes | None: ...
def row_said(
    user_id: str,
    version: int,
    days: tuple[int, int, int],
    load: Load,
    parts: tuple[bytes | None, bytes | None, bytes | None, bytes | None],
) -> bytes: ...
