"""A headless Chromium, driven by its own DevTools protocol: no library, no download. Tests without one skip."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = "no Chromium on this machine (Debian: apt-get install chromium): what a browser shows is not looked at"
WAIT_S = 30


def find() -> str | None:
    """The browser's program; DAYBOOK_CHROMIUM names one that is elsewhere."""
    return os.environ.get("DAYBOOK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._last = socket, 0
        self.said: list[str] = []
        """Errors of its console and of what it could not load."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol and its result."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": parameters})
        async with asyncio.timeout(WAIT_S):
            while True:
                told = await self._socket.receive_json()
                if told.get("id") == self._last:
                    assert "error" not in told, f"{method}: {told['error']}"
                    found: dict[str, Any] = told["result"]
                    return found
                self._hear(told.get("method"), told.get("params", {}))

    def _hear(self, method: str | None, told: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.said.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def js(self, expression: str) -> Any:
        """What an expression comes to; promises are waited for."""
        done = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression: str, want: Any = True, within_s: float = WAIT_S) -> None:
        """Wait until an expression comes to this."""
        deadline = time.monotonic() + within_s
        while (found := await self.js(expression)) != want:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {want!r}; {self.said}"
            await asyncio.sleep(0.05)

    async def go(self, address: str) -> None:
        """Open an address in a fresh document."""
        await self.call("Page.navigate", url="about:blank")
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState", "complete")

    async def key(self, name: str, code: int = 0) -> None:
        """Press a key, as a keyboard does; `code`: its virtual key code."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    async def look(self, width: int, height: int, scheme: str = "light", *, phone: bool = False) -> None:
        """How large its window is, and which colours its user prefers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone},
        )
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, file: Path) -> None:
        """What its window shows, as PNG."""
        found = await self.call("Page.captureScreenshot", format="png")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(found["data"]))


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, which is gone afterwards. `folder`: an empty one for its profile."""
    program = find()
    assert program is not None, MISSING
    argv = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={folder}", "--no-first-run"]
    argv += ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    argv += ["--hide-scrollbars", "--force-color-profile=srgb", "about:blank"]
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdout=nowhere, stderr=nowhere)
    try:
        told = folder / "DevToolsActivePort"
        deadline = time.monotonic() + WAIT_S
        while not (told.exists() and len(told.read_text().split()) > 1):
            assert process.returncode is None, f"{program} ended with code {process.returncode}"
            assert time.monotonic() < deadline, f"{program} does not answer"
            await asyncio.sleep(0.05)
        port = told.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                address = next(tab["webSocketDebuggerUrl"] for tab in await answer.json() if tab["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                found = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await found.call(f"{domain}.enable")
                yield found
    finally:
        process.kill()
        await process.wait()
