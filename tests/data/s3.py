"""An S3 server on this machine: moto's, whose reads are written down."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

REGION, BUCKET = "us-east-1", "archive"


class S3:
    """WSGI: moto, but the first ``refusals`` reads are answered with 503."""

    def __init__(self) -> None:
        self.refusals, self.ranges = 0, list[str]()
        self.app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self, threaded=True)

    def __call__(self, asked: dict[str, Any], start: Any) -> Iterable[bytes]:
        reads = asked["REQUEST_METHOD"] == "GET" and "list-type" not in asked["QUERY_STRING"]
        if reads and self.refusals > 0:
            self.refusals -= 1
            start("503 Service Unavailable", [])
            return [b"<Error><Code>SlowDown</Code></Error>"]
        if "HTTP_RANGE" in asked:
            self.ranges.append(asked["HTTP_RANGE"])
        answer: Iterable[bytes] = self.app(asked, start)
        return answer

    def put(self, root: Path) -> None:
        """Copy a folder into a new bucket, under its own name."""
        where = f"http://127.0.0.1:{self.server.port}"
        client = boto3.client("s3", region_name=REGION, endpoint_url=where)
        client.create_bucket(Bucket=BUCKET)
        for file in filter(Path.is_file, root.rglob("*")):
            client.upload_file(str(file), BUCKET, file.relative_to(root.parent).as_posix())

    def uri(self, folder: str) -> str:
        """Name a folder of the bucket."""
        where = f"endpoint_override=127.0.0.1%3A{self.server.port}&scheme=http&region={REGION}"
        return f"s3://{BUCKET}/{folder}?{where}"


@contextmanager
def serve_s3(folder: Path, refusals: int = 0) -> Iterator[S3]:
    """Answer on a free port of this machine; ``folder`` lies in its bucket."""
    s3 = S3()
    thread = threading.Thread(target=s3.server.serve_forever)
    thread.start()
    try:
        s3.put(folder)
        s3.refusals = refusals
        s3.ranges.clear()
        yield s3
    finally:
        s3.server.shutdown()
        thread.join()
        s3.server.server_close()
