"""People whose meal plan names a lunch a day, what they ate, and a plain reading of how well they kept to it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta

PLANNED, SUBSTITUTE, MISSED = "planned", "substitute", "missed"
Eaten = dict[tuple[str, str], dict[str, tuple[int, str]]]
"""User and day → entity → its highest revision, and which of the three it says."""


class World:
    """Sends events, and remembers what they say."""

    def __init__(self, prefix: str, users: int, first: date, days: int, seed: int = 1) -> None:
        self.users = [f"{prefix}{number:04}" for number in range(users)]
        self._days = [(first + timedelta(n)).isoformat() for n in range(days)]
        self._dice = random.Random(seed)
        self._eaten: Eaten = {}
        self._number = 0

    def plans(self) -> Iterator[bytes]:
        """A plan for everybody, from the first day on."""
        every = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        for user in self.users:
            data = {"effective_from": self._days[0], "meals": [{"item": "lunch", "weekdays": every}]}
            yield self._event(user, f"{user}-plan", "plan.assigned", self._days[0], data)

    def every_day(self) -> Iterator[bytes]:
        """A meal for everybody on every day."""
        for user in self.users:
            for day in self._days:
                yield self.meal(user, day, f"{user}-{day}", 1)

    def some(self, count: int) -> Iterator[bytes]:
        """Meals that come beside: new ones, and edits of those that are there."""
        for _ in range(count):
            user, day = self._dice.choice(self.users), self._dice.choice(self._days)
            there = self._eaten.get((user, day), {})
            entity = self._dice.choice([f"{user}-{day}", f"{user}-{day}-more"])
            yield self.meal(user, day, entity, there.get(entity, (0, ""))[0] + 1)

    def meal(self, user: str, day: str, entity: str, revision: int) -> bytes:
        """One meal, of any of the three."""
        what = self._dice.choices((PLANNED, SUBSTITUTE, MISSED), (2, 2, 1))[0]
        self._eaten.setdefault((user, day), {})[entity] = (revision, what)
        data = {
            "meal_type": "dinner" if what == MISSED else "lunch",
            "items": [{"name": "Soup", "energy_kcal": self._dice.randrange(100, 900)}],
            "planned_item": "lunch" if what == PLANNED else "other",
        }
        return self._event(user, entity, "meal.logged", day, data, revision)

    def adherence(self, substitute_pct: int, since: str = "", until: str = "9") -> dict[tuple[str, str], float]:
        """User and day → percent, where a substitute counts so much on these days, and half on others."""
        found = {}
        for (user, day), meals in self._eaten.items():
            says = {what for _, what in meals.values()}
            half = float(substitute_pct) if since <= day <= until else 50.0
            found[user, day] = 100.0 if PLANNED in says else half if SUBSTITUTE in says else 0.0
        return found

    def _event(self, user: str, entity: str, kind: str, day: str, data: object, revision: int = 1) -> bytes:
        self._number += 1
        head = {"specversion": "1.0", "id": f"{user}-{self._number}", "source": "ios/1", "subject": user}
        about = {"entity": entity, "revision": revision, "type": kind, "time": f"{day}T12:00:00+00:00"}
        return json.dumps({**head, **about, "data": data}).encode()
