"""A local web page with several assistants, for its owner only.

    python examples/dashboard.py reasoning code

Each name is a role in your oneseat.toml. The printed address contains a key that changes at each start; requests without it, or
from another page or machine, are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import oneseat
from oneseat import make_request

PAGE = """<!doctype html><meta charset="utf-8"><title>My assistants</title>
<form id="f"><select name="role">{options}</select><textarea name="prompt" rows="6" cols="80"></textarea><button>Ask</button></form>
<pre id="answer"></pre>
<script>
f.onsubmit = async event => {{
  event.preventDefault(); answer.textContent = "...";
  const body = JSON.stringify(Object.fromEntries(new FormData(f)));
  const reply = await fetch("/ask", {{method: "POST", headers: {{"X-Key": {key}}}, body}});
  const it = await reply.json();
  answer.textContent = it.error || it.text + "\\n\\n" + it.paid;
}};
</script>"""


class Desk(ThreadingHTTPServer):
    """Serves the page on this machine only, and does the runs in the event loop of ``app``."""

    daemon_threads = True

    def __init__(self, app: oneseat.App, roles: list[str], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.app, self.roles = app, roles
        self.loop = asyncio.get_running_loop()
        self.key = secrets.token_urlsafe(24)
        # Another site can make a browser send a request here, but not with this Host header.
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/?key={self.key}"

    def ask(self, role: str, prompt: str) -> dict[str, Any]:
        """Do one run; blocks the thread of its HTTP request."""
        request = make_request(prompt, role=role)
        result = asyncio.run_coroutine_threadsafe(self.app.run(request), self.loop).result()
        receipt = result.receipt
        return {
            "text": result.text,
            "paid": f"{receipt.provider} · {receipt.model} · {receipt.wallet} · {receipt.verdict}",
            "error": result.error.message if result.error is not None else None,
        }


class Handler(BaseHTTPRequestHandler):
    """One HTTP request."""

    server: Desk

    def do_GET(self) -> None:
        """The page, if the address has the key."""
        if not self._is_owner(self.path.partition("?key=")[2]):
            return
        options = "".join(f"<option>{html.escape(role)}</option>" for role in self.server.roles)
        self._reply(200, "text/html", PAGE.format(options=options, key=json.dumps(self.server.key)))

    def do_POST(self) -> None:
        """One prompt to one role."""
        if not self._is_owner(self.headers.get("X-Key", "")):
            return
        try:
            asked = json.loads(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1_000_000)))
            told = self.server.ask(str(asked["role"]), str(asked["prompt"]))
        except (ValueError, KeyError, oneseat.OneseatError) as error:
            told = {"error": str(error)}
        self._reply(200, "application/json", json.dumps(told))

    def _is_owner(self, key: str) -> bool:
        if self.headers.get("Host") == self.server.host and secrets.compare_digest(key, self.server.key):
            return True
        self._reply(403, "text/plain", "Wrong or missing key")
        return False

    def _reply(self, status: int, kind: str, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """No log: the address contains the key."""


async def main(roles: list[str]) -> None:
    """Serve until Ctrl-C, with one warm process of the official CLI."""
    async with oneseat.connect(warm=1) as app:
        desk = Desk(app, roles)
        print(f"Open {desk.url}", flush=True)
        try:
            await asyncio.to_thread(desk.serve_forever)
        finally:
            desk.shutdown()
            desk.server_close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1:] or ["reasoning"]))
