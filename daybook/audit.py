"""The role audit: goes through all users without end, some at a time, and has what is wrong repaired by its owner.

look      a range of users is recomputed from ClickHouse and compared with all stores (recompute.py, judging.py)
judge     only what still differs after every sink has passed what was read, twice (DESIGN §8 rule 20)
hint      the owner of the user is asked to say it again (rule 6): a day by its date, a winner by its event, progress
          by the user, once the user's days are right
see       it is compared again; the table `audits` says what was found, why, and when it was right again
beside    canaries, one every few seconds (canaries.py); how much room the stores have (storeroom.py) and how fast
          they grow (growing.py); once a day what is due to be dropped, and the months to come (keep/)
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable

from daybook import defining, growing, progress, sinking, storeroom, waiting
from daybook.audits import Audits, cell_of
from daybook.canaries import Canaries
from daybook.exporter import WithoutTopics
from daybook.judging import ENTITIES, PROGRESS, Wrong, wrong_days, wrong_entities, wrong_progress
from daybook.keep.days import may_be_absent
from daybook.keep.once import KEEP_EVERY_S, Keeper
from daybook.peek import Peek
from daybook.recompute import DayKey, recompute
from daybook.settings import Settings
from daybook.stored import Range, Stores
from daybook.telling import Teller
from schemas.hints import DayHint, EventHint, ProgressHint, encode_hint
from schemas.ledger import entity_key
from schemas.metrics import Meters
from schemas.topics import HINTS, PROGRESS_HINTS
from streams.daily.definitions import AS_CODED

log = logging.getLogger(__name__)

LOOKS_AGAIN = 2
HINTS_EACH = 3
"""So often a cell is hinted before it is left for the next sweep."""
_WAIT_S = 120.0
_AFTER_TROUBLE_S = 5.0


class Auditor:
    """Looks, judges, hints and sees; one thread."""

    def __init__(self, settings: Settings, teller: Teller, meters: Meters, stop: threading.Event) -> None:
        self._settings, self._teller, self._meters, self._stop = settings, teller, meters, stop
        self._groups = list(sinking.groups().values())
        self._in_force = AS_CODED

    def sweep(self) -> None:
        """Go through all users once, or until told to stop."""
        with Stores(self._settings) as stores:
            audits, peek = Audits(self._settings.address("postgres")), Peek(self._settings)
            try:
                self._meters.set("daybook_audit_open", to=len(audits.open()))
                for user in {user for _, user, _ in audits.open()}:  # first what is known to be wrong
                    self.settle(stores, audits, peek, Range.of(user))
                for users in stores.user_ranges(self._settings.audit_users):
                    if self._stop.wait(self._settings.audit_pause_s):
                        return
                    self.settle(stores, audits, peek, users)
                alone: dict[str, set[DayKey]] = {}
                for day in stores.days_only_in_redis():  # it alone cannot be read by ranges
                    alone.setdefault(day[0], set()).add(day)
                for user in stores.users_only_in_redis():
                    alone.setdefault(user, set())
                for user, days in alone.items():
                    self.settle(stores, audits, peek, Range.of(user), days)
                self._meters.add("daybook_audit_sweeps_total")
            finally:
                audits.close()
                peek.close()

    def settle(
        self, stores: Stores, audits: Audits, peek: Peek, users: Range, more: Collection[DayKey] = ()
    ) -> list[Wrong]:
        """Look at these users, and have repaired what is wrong; returns what still is."""
        if defining.is_moving(self._settings):
            return []  # the swap says these days again, and looks whether they came
        self._in_force = defining.known(self._settings)
        known = {(user, what) for store, user, what in audits.open() if is_day(store, what) and users.holds(user)}
        more = {*more, *known}
        days, wrong = self._look(stores, users, more)
        self._meters.add("daybook_audit_days_total", by=days)
        more = {*more, *((w.user, w.what) for w in wrong if is_day(w.store, w.what))}
        for _ in range(LOOKS_AGAIN):
            if not wrong or self._stop.is_set():
                break
            self._pass_by()
            wrong = self._again(stores, wrong, more)
        for each in wrong:
            if audits.add(each):
                self._meters.add("daybook_audit_mismatches_total", each.store, each.cause)
                log.error("%s holds a wrong cell of %r: %s (%s)", each.store, each.user, each.what, each.cause)
        for _ in range(HINTS_EACH):
            if not wrong or self._stop.is_set():
                break
            self._hint(stores, peek, wrong)
            self._pass_by()
            wrong = self._again(stores, wrong, more)
        self._see(audits, users, wrong)
        return wrong

    def _look(self, stores: Stores, users: Range, more: Collection[DayKey]) -> tuple[int, list[Wrong]]:
        expected = recompute(stores.entities(users), stores.events(users), self._in_force)
        held = {"postgres": stores.postgres(users), "clickhouse": stores.clickhouse(users)}
        days = sorted(set(expected.rows).union(more, *held.values()))
        held["redis"] = stores.redis(days)
        long_ago = time.time() * 1000 - stores.redis_ttl_ms
        gone = {day for day in days if expected.received_ms.get(day, 0) < long_ago}
        wanted = {day: expected.rows.get(day) for day in days}
        left = may_be_absent(stores.dropped(users), expected.rows)
        wrong = [*wrong_entities(expected), *wrong_days(wanted, held, gone, left)]
        youngest: dict[str, int] = {}
        for (user, _), ms in expected.received_ms.items():
            youngest[user] = max(ms, youngest.get(user, 0))
        people = progress.expected(expected.rows)
        told = stores.progress(users, {*people, *({users.only} if users.only else ())})
        return len(days), [*wrong, *wrong_progress(people, told, lambda user: youngest.get(user, 0) < long_ago)]

    def _again(self, stores: Stores, wrong: Iterable[Wrong], more: Collection[DayKey]) -> list[Wrong]:
        found: list[Wrong] = []
        for user in sorted({each.user for each in wrong}):
            found += self._look(stores, Range.of(user), [day for day in more if day[0] == user])[1]
        return found

    def _pass_by(self) -> None:
        """Wait until every sink has passed what is there now. Raises Problem if that takes too long."""
        waiting.until_visible(self._settings.address("kafka"), self._groups, _WAIT_S)

    def _hint(self, stores: Stores, peek: Peek, wrong: Iterable[Wrong]) -> None:
        hints: list[tuple[bytes, bytes]] = []
        entities = {(w.user, w.what): w.cause for w in wrong if w.store == ENTITIES}
        for user in sorted({user for user, _ in entities}):
            for event in stores.events(Range.of(user)):
                key = entity_key(event.subject, event.topic, event.entity, event.register or None)
                if (cause := entities.get((user, key.decode().replace("\0", "|")))) is not None:
                    hint = EventHint(event.topic, event.received_ms, event.raw.encode(), f"entities: {cause}")
                    hints.append((user.encode(), encode_hint(hint)))
                    self._meters.add("daybook_hints_sent_total", "event")
        days = sorted({(w.user, w.what) for w in wrong if is_day(w.store, w.what)})
        for user, date in days:
            stories = ", ".join(sorted({f"{w.store}: {w.cause}" for w in wrong if (w.user, w.what) == (user, date)}))
            hints.append((user.encode(), encode_hint(DayHint(date, peek.highest(user, date), stories))))
            self._meters.add("daybook_hints_sent_total", "day")
        self._teller.send(HINTS.name, hints)
        first = {user for user, _ in (*days, *entities)}  # progress follows from days: what is right without it is left
        asked: list[tuple[bytes, bytes]] = []
        for user in sorted({w.user for w in wrong if w.what == PROGRESS} - first):
            stories = ", ".join(
                sorted({f"{w.store}: {w.cause}" for w in wrong if (w.user, w.what) == (user, PROGRESS)})
            )
            asked.append((user.encode(), encode_hint(ProgressHint(peek.highest_progress(user), stories))))
            self._meters.add("daybook_hints_sent_total", "progress")
        self._teller.send(PROGRESS_HINTS.name, asked)

    def _see(self, audits: Audits, users: Range, wrong: Iterable[Wrong]) -> None:
        """Close what is right again, of the users that were looked at."""
        still = {cell_of(each) for each in wrong}
        open_cells = audits.open()
        for cell in open_cells - still:
            if users.holds(cell[1]):
                audits.repaired(cell)
                self._meters.add("daybook_audit_repaired_total", cell[0])
                log.warning("%s holds the right cell of %r again: %s", *cell)
        for cell in still:
            log.error("%s still holds a wrong cell of %r: %s; docs/how-to/watch.md says what to do", *cell)
        self._meters.set("daybook_audit_open", to=len(audits.open()))


def is_day(store: str, what: str) -> bool:
    """Whether a cell is a day in a store, no entity and no progress."""
    return store != ENTITIES and what != PROGRESS


def run(settings: Settings, partitions: int, watch: WithoutTopics, ready: Callable[[], None]) -> None:
    """Be the role, until SIGTERM or Ctrl-C. A store that is away is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    teller = Teller(settings.address("kafka"))
    auditor = Auditor(settings, teller, watch.meters, stop)
    threads = [
        threading.Thread(target=_until, args=(stop, "audit", auditor.sweep, settings.audit_pause_s), daemon=True)
    ]
    room = (stop, "room", lambda: storeroom.measure(settings, watch.meters), storeroom.EVERY_S)
    threads.append(threading.Thread(target=_until, args=room, daemon=True))
    sizes = (stop, "growth", lambda: growing.look(settings, watch.meters), growing.EVERY_S)
    threads.append(threading.Thread(target=_until, args=sizes, daemon=True))
    keeper = Keeper(settings, watch.meters, stop.is_set)
    threads.append(threading.Thread(target=_until, args=(stop, "keep", keeper.turn, KEEP_EVERY_S), daemon=True))
    if settings.canary_every_s:
        canaries = Canaries(teller, partitions, watch.meters, stop)
        peeks: list[Peek] = []

        def beat() -> None:
            try:
                if not peeks:
                    peeks.append(Peek(settings))
                canaries.beat(peeks[0])
            except Exception:
                peeks.clear()  # with whatever is wrong with its connections
                raise

        threads.append(
            threading.Thread(target=_until, args=(stop, "canaries", beat, settings.canary_every_s), daemon=True)
        )
    for thread in threads:
        thread.start()
    ready()
    while not stop.wait(1.0) and all(thread.is_alive() for thread in threads):
        pass
    stop.set()
    for thread in threads:
        thread.join(10)


def _until(stop: threading.Event, what: str, act: Callable[[], None], every_s: float) -> None:
    """Do it again and again; trouble is told once, and waited out."""
    last = ""
    while not stop.is_set():
        began, pause_s = time.monotonic(), every_s
        try:
            act()
            last = ""
        except Exception as why:  # whatever a store or its client makes of being away
            said = f"{type(why).__name__}: {' '.join(str(why).split())}"
            if said != last:
                log.warning("%s: %s", what, said)
            last, pause_s = said, max(every_s, _AFTER_TROUBLE_S)
        stop.wait(max(0.0, began + pause_s - time.monotonic()))
