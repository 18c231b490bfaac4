from collections.abc import Callable, Collection, Sequence

from streams.daily.cells import PythonCell
from streams.daily.core import Decided
from streams.daily.users import User, Users

class Cell(PythonCell): ...

def apply(
    decided: Sequence[Decided],
    users: Users,
    touched: dict[PythonCell, tuple[str, int]],
    dirty: dict[tuple[str, int], None],
    state: dict[bytes, bytes | None],
    rowless: dict[str, None],
    take_out: Callable[[str, User, bytes, bytes], None],
    registers: Collection[int],
    new_user: Callable[[], User],
    plain: bool,
) -> tuple[int, int, int]: ...
def meal_row(subject: str, day: int, cell: PythonCell, version: int) -> tuple[bytes, bytes] | None: ...
