"""The page in a headless Chromium: what a person sees, presses and hears; its pictures are made here too."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import aiohttp
import browser
import pytest
from api_rig import meal
from browser import Page
from collector import collector
from command_line import daybook

from daybook import demo, running, serving, settings
from producers import audience, generate
from producers.publish import publish

USER = "u_000000"
"""One of the generator's people."""
PICTURES = ("day-light", "day-dark", "day-phone", "trending-light", "operator-dark")
"""What `make pictures` puts into docs/pictures."""
UNFRIENDLY = "<img src=x onerror=document.title='run'>/1"
seen = pytest.mark.skipif(browser.find() is None, reason=browser.MISSING)


@pytest.fixture(scope="module")
def url(shared: Path) -> str:
    """The page's address."""
    done = daybook("up", "--detach", "--api", "--data", shared, timeout_s=120, env=collector().environment)
    assert done.returncode == 0, done.stderr
    address = serving.address(settings.read(data=shared))
    assert address is not None
    return address


@pytest.fixture(scope="module")
def people(shared: Path, url: str) -> None:
    """Somebody with goals, a plan and a month; and a list that trends."""
    found = settings.read(data=shared)
    people = generate.events(users=1, days=45, seed=7, start=date(2026, 10, 1))
    publish(found.address("kafka"), [*people, *map(goal, ("protein_g", "sleep_minutes", "water_ml"), (130, 400, 800))])
    start = int(time.time() * 1000) - 3_600_000
    publish(
        found.address("kafka"), audience.events(users=60, views=400, start_ms=start, span_ms=3_590_000, catalogue=40)
    )
    assert daybook("wait", "--data", shared, timeout_s=120).returncode == 0


def goal(metric: str, target: int) -> bytes:
    """What USER wants of each day."""
    data = {"metric": metric, "target": target, "direction": "at_least", "effective_from": "2026-10-01"}
    return json.dumps(meal(USER, type="goal.set", entity=metric, time="2026-10-01T08:00:00+11:00", data=data)).encode()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser.page(tmp_path / "profile") as found:
        await found.look(1280, 1180)
        yield found
        assert found.said == [], "nothing went wrong in its console"


def token(shared: Path, subject: str, role: str = "user") -> str:
    return serving.token(settings.read(data=shared), subject, role, 600)  # type: ignore[arg-type]


async def opened(tab: Page, url: str, token: str, user: str, view: str = "day") -> None:
    await tab.go(f"{url}/#user={user}&view={view}&token={token}")
    await tab.until(f"document.getElementById('view-{view}').hidden", want=False)


def value(metric: str) -> str:
    return f"document.querySelector('.tile[data-metric={metric}] b')?.textContent"


async def test_the_page_brings_all_that_it_needs_and_may_ask_nobody_else(url: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        async with session.get("/") as answer:
            text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        asked = set(re.findall(r'(?:src|href)="((?!#)[^"]+)"', text)) - {"openapi.json"}
        for name in asked | {"page/vendor/uPlot.LICENSE", "page/day.js"}:
            assert "//" not in name, "nothing comes from elsewhere"
            async with session.get(f"/{name}", headers={"Accept": "*/*"}) as answer:
                assert answer.status == 200, name
                tag, kind = answer.headers["ETag"], answer.content_type
            assert kind in ("text/css", "text/javascript", "text/plain", "image/svg+xml"), name
            async with session.get(f"/{name}", headers={"If-None-Match": tag}) as answer:
                assert answer.status == 304
        for name in ("page/../pages.py", "page/%2e%2e/pages.py", "page/vendor", "page/", "page/none.js"):
            async with session.get(f"/{name}") as answer:
                assert answer.status == 404, name


async def test_the_demo_tells_an_address_and_a_token_that_open_it(
    shared: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.say_the_page(running.of_folder(shared))
    told = re.search(r"the page: (\S+)/#user=(\S+)&token=(\S+)", capsys.readouterr().err)
    assert told is not None
    assert told[1] == url
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {told[3]}"}) as session:
        for path in ("/v1/operator", f"/v1/users/{told[2]}/progress"):
            async with session.get(told[1] + path) as answer:
                assert answer.status == 200, path


@seen
async def test_a_day_fills_while_one_looks_and_what_others_wrote_stays_text(shared: Path, url: str, tab: Page) -> None:
    mine = token(shared, "u_page")
    await opened(tab, url, mine, "u_page")
    assert "token" not in await tab.js("location.href"), "the token leaves the address bar"
    assert await tab.js("document.getElementById('tab-operator').hidden"), "a user is no operator"
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {mine}"}) as session:
        for count in (1, 2, 3):
            async with session.post("/v1/events", json=meal("u_page", source=UNFRIENDLY)) as answer:
                assert (await answer.json())["accepted"] == 1
            await tab.until(value("energy_kcal"), f"{310 * count:,}")
    about = await tab.js("document.getElementById('day-about').textContent")
    assert about == "3 entries from <img src=x onerror=document.title='run'>"
    assert daybook("wait", "--data", shared).returncode == 0, "an explanation comes from ClickHouse"
    await tab.js("document.querySelector('.tile[data-metric=meals_logged]').click()")
    await tab.until("document.querySelectorAll('#why tbody tr').length", 3)
    assert await tab.js("document.title") == "Daybook"
    assert "redis says the same" in await tab.js("document.getElementById('why-body').textContent")


@seen
@pytest.mark.usefixtures("people")
async def test_a_keyboard_is_enough_and_everything_has_a_name(shared: Path, url: str, tab: Page) -> None:
    await opened(tab, url, token(shared, "op", "admin"), USER)
    await tab.until(f"{value('energy_kcal')} > ''")
    await tab.js("document.getElementById('tab-day').focus()")
    for want in ("trending", "operator", "day"):
        await tab.key("ArrowRight", 39)
        await tab.until(f"document.getElementById('view-{want}').hidden", want=False)
        assert await tab.js("document.activeElement.id") == f"tab-{want}"
    await tab.js("document.querySelector('.tile').focus()")
    await tab.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
    )
    await tab.until("document.getElementById('why').open")
    await tab.key("Escape", 27)
    await tab.until("document.getElementById('why').open", want=False)
    nodes = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    pressed = [
        n
        for n in nodes
        if n.get("role", {}).get("value") in ("button", "tab", "textbox", "combobox", "checkbox", "Date")
    ]
    assert len(pressed) > 12
    assert [n for n in pressed if not n.get("name", {}).get("value")] == []


@seen
@pytest.mark.slow
@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", False), ("light", True)])
async def test_all_views_can_be_read_in_light_dark_and_on_a_phone(
    shared: Path, url: str, tab: Page, tmp_path: Path, scheme: str, phone: bool
) -> None:
    folder = Path(os.environ.get("DAYBOOK_PICTURES") or tmp_path)
    admin = token(shared, "op", "admin")
    for view, there in (("day", ".tile"), ("trending", "#ranks li .reason"), ("operator", "#roles tbody tr")):
        await tab.look(*((390, 844) if phone else (1280, 1180)), scheme, phone=phone)
        await opened(tab, url, admin, USER, view)
        await tab.until(f"document.querySelectorAll('{there}').length > 2")
        await tab.until("document.getElementById('live').textContent", "live")
        assert await tab.js("document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the window"
        ratio = await tab.js(CONTRAST)
        assert ratio["worst"] >= 4.5, f"{view} in {scheme}: {ratio}"
        if view == "day":
            await tab.until("document.querySelectorAll('.calendar li[data-level]').length", 31)
            await tab.until("document.querySelectorAll('#month canvas').length", 1)
            assert "days" in await tab.js("document.getElementById('month-said').textContent")
        if view == "operator":
            await tab.until("document.querySelectorAll('#rate canvas').length", 1)
        await asyncio.sleep(0.3)  # fonts and bars are drawn with the next frame
        if (name := f"{view}-{'phone' if phone else scheme}") in PICTURES:
            await tab.picture(folder / f"{name}.png")


CONTRAST = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (text, under) => {
    canvas.fillStyle = `rgb(${under.join()})`; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (c) => c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (each) =>
    each ? rgba(getComputedStyle(each).backgroundColor, ground(each.parentElement)) : [255, 255, 255];
  let worst = 21, text = "";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const each = node.parentElement, box = each.getBoundingClientRect();
    if (!node.data.trim() || !box.width || each.closest(".unseen, .skip, .uplot, noscript, option, .bare")) continue;
    const under = ground(each), [a, b] = [light(rgba(getComputedStyle(each).color, under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst) [worst, text] = [ratio, node.data.trim()];
  }
  return { worst, text };
})()"""
"""The lowest contrast of any text with its ground (WCAG 2.2, 1.4.3)."""
