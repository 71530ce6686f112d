"""As much of S3 as reading takes, over a folder: list, head, get with a range."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class S3(ThreadingHTTPServer):
    """Buckets are the folders of ``root``; the first ``refusals`` reads are answered with 503."""

    daemon_threads = True

    def __init__(self, root: Path, refusals: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.refusals = root, refusals
        self.ranges: list[str] = []

    def uri(self, folder: str) -> str:
        """Name a folder of a bucket."""
        where = f"endpoint_override=127.0.0.1%3A{self.server_port}&scheme=http&region=us-east-1"
        return f"s3://{folder}?{where}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        query = parse_qs(at.query)
        if "list-type" in query:
            return self._answer(200, self._listing(unquote(at.path).strip("/"), query["prefix"][0]))
        if self.command == "GET" and self.server.refusals > 0:
            self.server.refusals -= 1
            return self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
        file = self.server.root / unquote(at.path).strip("/")
        if not file.is_file():
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        content = file.read_bytes()
        if wanted := self.headers["Range"]:
            self.server.ranges.append(wanted)
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            return self._answer(206, content[first : last + 1])
        return self._answer(200, content)

    def _listing(self, bucket: str, prefix: str) -> bytes:
        files = (self.server.root / bucket / prefix).glob("*")
        found = [
            f"<Contents><Key>{escape(prefix + file.name)}</Key><Size>{file.stat().st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for file in files
        ]
        head = f"<IsTruncated>false</IsTruncated><KeyCount>{len(found)}</KeyCount>"
        return f"<ListBucketResult>{head}{''.join(found)}</ListBucketResult>".encode()

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", DATE)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_s3(root: Path, refusals: int = 0) -> Iterator[S3]:
    """Answer on a free port of this machine."""
    with S3(root, refusals) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
