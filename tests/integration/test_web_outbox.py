"""The JavaScript client in a browser: what waits in IndexedDB outlives the page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import browser
import pytest

WEB = Path(__file__).parents[2] / "producers" / "web"


class Files(SimpleHTTPRequestHandler):
    """The client's files, a blank page; events are taken when `takes` is set, by the page's own origin."""

    takes = threading.Event()
    taken: list[bytes] = []  # noqa: RUF012 (of the only one there is)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = body.split(b"\n")
        said = b""
        if self.takes.is_set():
            self.taken.extend(lines)
            results = ",".join(f'{{"index":{at},"status":"accepted"}}' for at in range(len(lines)))
            said = f'{{"results":[{results}]}}'.encode()
        self.send_response(202 if said else 503)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(WEB))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


OPEN = """Promise.all([import('/client.js'), import('/indexeddb.js')]).then(([{ Client }, { IndexedOutbox }]) => {
  window.client = new Client({
    address: location.origin, token: () => 't', outbox: new IndexedOutbox('events', 3), longestMs: 100,
  });
})"""


@pytest.mark.skipif(browser.find() is None, reason=browser.MISSING)
async def test_events_outlive_the_page_and_leave_once_they_are_taken(address: str, tmp_path: Path) -> None:
    async with browser.page(tmp_path / "profile") as tab:
        await tab.go(f"{address}/package.json")
        await tab.js(OPEN)
        await tab.js("client.send({ id: 'a' }, { id: 'b' })")
        assert await tab.js("client.send({ id: 'c' }, { id: 'd' }).catch((why) => why.constructor.name)") == "Full"
        await tab.go(f"{address}/package.json")  # the first page is gone with all that it knew
        await tab.js(OPEN)
        assert await tab.js("client.waiting()") == 2
        Files.takes.set()
        assert await tab.js("client.flush(20000)") is True
        assert await tab.js("client.waiting()") == 0
        assert await tab.js("client.refused().then((all) => all.length)") == 0
    sent = [line[:10] for line in Files.taken]
    assert sent == [b'{"id":"a",', b'{"id":"b",']
