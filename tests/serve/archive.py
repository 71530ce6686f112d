"""An archive of thirty lines: takes what is stored, and can be told to refuse."""

import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from serve.intake import split_parts


class Archive:
    """``with Archive() as running``: ``stored`` holds objects, ``status`` is what it answers."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.status = 200
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                media = Message()
                media["content-type"] = self.headers["Content-Type"]
                if self.path == "/dicom-web/studies" and archive.status == 200:
                    archive.stored += split_parts(body, str(media.get_param("boundary")), 99)
                self.send_response(archive.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/dicom-web"

    def __enter__(self) -> "Archive":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
