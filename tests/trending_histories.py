"""What tests of trending draw: some days of views and reactions, or weeks by the events' own clock."""

from __future__ import annotations

from hypothesis import strategies as st
from trending_rig import HOUR, T0, event

from streams.trending.offline import Received

SHOWN = st.fixed_dictionaries(
    {"content": st.sampled_from("abcde")},
    optional={
        "creator": st.sampled_from(["ann", "bob"]),
        "hashtags": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
        "sound": st.sampled_from(["s", "t"]),
        "region": st.sampled_from(["DE", "FR"]),
        "watched_s": st.sampled_from([1, 29, 30, 60, 100_000]),
    },
)


@st.composite
def histories(draw: st.DrawFn) -> list[Received]:
    """Views and reactions over some days, edited and deleted, each received some time after it happened."""
    found: list[Received] = []
    for n in range(draw(st.integers(1, 25))):
        user, entity = draw(st.sampled_from(["u1", "u2", "u3", "u4"])), f"e{n}"
        at = T0 + draw(st.integers(-3 * 24 * 60, 0)) * 60_000
        kind = draw(st.sampled_from(["view", "view", "view", "like", "share"]))
        data = draw(SHOWN)
        late = draw(st.sampled_from([0, 0, 1000, HOUR, 23 * HOUR, 25 * HOUR, -10 * 60_000]))
        found.append(event(user, at, at + late, entity=entity, kind=kind, **data))
        for revision in range(2, 2 + draw(st.sampled_from([0, 0, 1, 2]))):
            moved = at + draw(st.integers(-120, 120)) * 60_000
            kinds = ["deleted", kind] if kind != "view" else ["view"]
            edit = draw(st.sampled_from(kinds))
            more = {} if edit == "deleted" else draw(SHOWN)
            found.append(event(user, moved, moved + 2000, entity=entity, revision=revision, kind=edit, **more))
    return found


@st.composite
def months(draw: st.DrawFn) -> list[Received]:
    """Views over seven weeks by the events' own times, each partition's in about their order."""
    found: list[tuple[int, Received]] = []
    for n in range(draw(st.integers(1, 40))):
        user, entity = draw(st.sampled_from(["u1", "u2", "u3", "u4"])), f"e{n}"
        at = T0 - draw(st.integers(0, 7 * 168) | st.integers(0, 12)) * HOUR + draw(st.integers(-59, 0)) * 60_000
        kind = draw(st.sampled_from(["view", "view", "view", "view", "like"]))
        for revision in range(1, 2 + draw(st.sampled_from([0, 0, 0, 1]))):
            data = draw(SHOWN)
            late = draw(st.sampled_from([0, 0, 0, 1, 6, 26])) * HOUR
            moved = at + (revision - 1) * draw(st.integers(-60, 60)) * 60_000
            once = event(user, moved, T0, entity=entity, revision=revision, kind=kind, **data)
            found += [(moved + late, once)] * draw(st.sampled_from([1, 1, 2]))
    return [record for _, record in sorted(found, key=lambda one: one[0])]
