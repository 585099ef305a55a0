"""A web site on this machine that fails as it is told to."""

from __future__ import annotations

import http.server
import threading
from dataclasses import dataclass, field


@dataclass
class Page:
    """A file of the site, and how it is served."""

    content: bytes
    version: str | None = '"1"'
    cuts: list[int] = field(default_factory=list)  # end each next answer after so many bytes of it
    codes: list[int] = field(default_factory=list)  # what the next answers are in place of 200
    knows_ranges: bool = True
    tells_length: bool = True


class Site:
    """Pages by path, and what was asked of each: `asked` holds (path, Range or None)."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def url(self, path=""):
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def put(self, path, content, **how):
        self.pages[path] = Page(content, **how)
        return self.url(path)

    def answer(self, handler):
        path = handler.path.lstrip("/")
        self.asked.append((path, handler.headers.get("Range")))
        page = self.pages.get(path)
        if page is None or page.codes:
            handler.send_response(404 if page is None else page.codes.pop(0))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        first = self.first_byte(handler, page)
        if first is not None and first >= len(page.content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(page.content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        body = page.content[first or 0 :]
        handler.send_response(200 if first is None else 206)
        if first is not None:
            last = len(page.content) - 1
            handler.send_header("Content-Range", f"bytes {first}-{last}/{last + 1}")
        if page.tells_length:
            handler.send_header("Content-Length", str(len(body)))
        if page.version:
            handler.send_header("ETag", page.version)
        handler.end_headers()
        handler.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)
        handler.close_connection = True

    @staticmethod
    def first_byte(handler, page):
        asked = handler.headers.get("Range")
        if not asked or not page.knows_ranges or handler.headers.get("If-Range") != page.version:
            return None
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
