"""Lists: what is on them, why, and in which order."""

from __future__ import annotations

from daybook.recommending import explained, why
from schemas.affinity import Popular, Related, TasteRow
from streams.affinity.suggest import PER_CREATOR, Known, suggest


def known(*items: Related, **popular: list[str]) -> Known:
    found = Known()
    for item in items:
        found.take(item)
    for region, shown in popular.items():
        found.take_popular(Popular(region, 1, shown))
    return found


def item(name: str, users: int = 10, *near: tuple[str, int], by: str | None = None, of: str | None = None) -> Related:
    return Related(name, 1, users, by, of, list(near))


def test_what_those_like_who_like_the_same_comes_first_and_says_because_of_what() -> None:
    about = known(item("a", 10, ("b", 6), ("c", 2)), item("b"), item("c"), all=["x"])
    found = suggest(TasteRow("u", 1), [(1, "a")], {"a": 1}, about)
    assert [entry.id for entry in found] == ["b", "c", "x"]
    assert (found[0].because, found[0].both, found[0].reason) == ("a", 6, "together")
    assert why(found[0]) == "6 users like it and a"
    assert found[2].reason == "trending"


def test_what_many_like_anyway_says_less_for_a_neighbour_than_what_few_like() -> None:
    about = known(item("a", 10, ("rare", 5), ("usual", 5)), item("rare", 5), item("usual", 500))
    assert [entry.id for entry in suggest(TasteRow("u", 1), [(1, "a")], {"a": 1}, about)] == ["rare", "usual"]


def test_what_trends_in_a_liked_category_comes_before_what_only_trends() -> None:
    about = known(item("news1", of="news"), item("sport1", of="sport"), all=["news1", "sport1"])
    found = suggest(TasteRow("u", 1, categories={"sport": 900, "news": 100}), [], {}, about)
    assert [(entry.id, entry.reason) for entry in found] == [("sport1", "taste"), ("news1", "taste")]
    assert why(found[0]) == "place 2 of what trends everywhere, and sport is liked"


def test_who_has_just_come_gets_what_trends_in_the_region_and_then_everywhere() -> None:
    about = known(DE=["d1", "both"], FR=["f1"], all=["a1", "both", "a2"])
    found = suggest(TasteRow("u", 1, region="DE"), [], {}, about)
    assert [entry.id for entry in found] == ["d1", "a1", "both", "a2"]
    assert {entry.region for entry in found if entry.id == "both"} == {"DE"}


def test_what_was_seen_is_never_shown_and_no_creator_takes_it_all() -> None:
    videos = [f"v{n}" for n in range(20)]
    about = known(*(item(name, by="ann") for name in videos), item("other", by="bob"), all=[*videos, "other"])
    found = [entry.id for entry in suggest(TasteRow("u", 1), [], {"v0": 1}, about)]
    assert found == [*videos[1 : 1 + PER_CREATOR], "other"]


def test_an_older_word_of_stage_two_changes_nothing() -> None:
    about = known(item("a", 10, ("b", 6)), item("b"), all=["x"])
    assert not about.take(item("a", 0))
    assert not about.take_popular(Popular("all", 1, []))
    assert about.take(Related("a", 2, 0, None, None, []))
    assert "a" not in about.items


def test_the_parts_of_an_entry_add_up_to_its_score() -> None:
    about = known(item("a", 10, ("b", 6)), item("b", of="news"), all=["b"])
    (entry,) = suggest(TasteRow("u", 1, categories={"news": 5}), [(1, "a")], {"a": 1}, about)
    assert entry.score == entry.together + entry.taste + entry.trending
    assert min(entry.together, entry.taste, entry.trending) > 0
    lines = list(explained(entry, 1, 1))
    assert lines[0] == "b: place 1 of 1"
    assert lines[2].endswith("most from a, which 6 users like too")
