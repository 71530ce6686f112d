"""A long-lived process that decodes hostile files under limits, and its parent's side.

One request and one answer at a time, over two pipes. A message is a JSON head and a body of bytes,
each preceded by its length: nothing is pickled, so a decoder that was taken over cannot run code
in the parent. The child sees neither torch nor ray. It may die or hang: the parent kills it, names
the file's fate and starts another one.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from mgray.dicom.codecs import PACKAGES
from mgray.dicom.croppers import CropperName
from mgray.dicom.door import Hints, read_file
from mgray.dicom.limits import DEFAULT_LIMITS, Limits
from mgray.dicom.origin import Origin, read_origin
from mgray.dicom.record import FileRecord, Identity, Volumes
from mgray.errors import MgrayError, Rejected

TOLD: Final = ("hints", "volumes", "cropper", "header_only")
LENGTHS: Final = struct.Struct("<QQ")
READY_S: Final = 60.0
"""Seconds that a new child has to import what it needs."""
START_TRIES: Final = 8
"""A machine that is short of memory may kill several new children in a row."""
PIPE_BYTES: Final = 2**20
"""Of a pipe, the most that Linux allows anybody: an answer of megabytes comes in few turns."""
ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class DecodeChild:
    """``read_file`` in another process: ``with DecodeChild() as child: child.read(path)``.

    Of several threads one is served after the other: a question whose asker has gone is answered
    before the next one is asked. The process starts with the first file and is replaced after a
    death.

    Args:
        limits: What one file may cost.
        volumes: As for ``read_record``.
        cropper: As for ``read_record``.
    """

    def __init__(
        self,
        limits: Limits = DEFAULT_LIMITS,
        volumes: Volumes = "refuse",
        cropper: CropperName = "p1",
    ) -> None:
        self.limits, self.volumes, self.cropper = limits, volumes, cropper
        self.starts = 0
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running child, if any."""
        return self._process.pid if self._process is not None else None

    def read(
        self, source: Path | bytes, kind: str | None = None, hints: Hints | None = None
    ) -> FileRecord:
        """Read one file.

        Args:
            source: A file or its bytes.
            kind: The source's own word for the image kind, if it knows better than the header.
            hints: As for ``read_file``.

        Raises:
            Rejected: As ``read_record``; also ``decoder_died`` and ``timeout``.
        """
        return self._record(source, kind, hints, header_only=False)

    def read_header(
        self, source: Path | bytes, kind: str | None = None, hints: Hints | None = None
    ) -> FileRecord:
        """Read one file's header and decode nothing: ``read_record`` with ``header_only``.

        Args:
            source: A file or its bytes.
            kind: The source's own word for the image kind, if it knows better than the header.
            hints: As for ``read_file``.

        Raises:
            Rejected: As ``read_record``; also ``decoder_died`` and ``timeout``.
        """
        return self._record(source, kind, hints, header_only=True)

    def read_origin(self, source: Path | bytes) -> Origin:
        """Read who and what an image belongs to: ``origin.read_origin``.

        Args:
            source: A file or its bytes.

        Raises:
            Rejected: As ``read_origin``; also ``decoder_died`` and ``timeout``.
        """
        path = None if isinstance(source, bytes) else os.fspath(source)
        body = source if isinstance(source, bytes) else b""
        head, _ = self._ask({"path": path, "origin": True}, body)
        if "reason" in head:
            raise Rejected(head["reason"], head["detail"])
        return {str(name): str(text) for name, text in head["origin"].items()}

    def _record(
        self, source: Path | bytes, kind: str | None, hints: Hints | None, *, header_only: bool
    ) -> FileRecord:
        path = None if isinstance(source, bytes) else os.fspath(source)
        hints = {**(hints or {}), "kind": kind}
        told = {"hints": hints, "volumes": self.volumes, "cropper": self.cropper}
        request = {"path": path, **told, "header_only": header_only}
        head, body = self._ask(request, source if isinstance(source, bytes) else b"")
        if "reason" in head:
            raise Rejected(head["reason"], head["detail"])
        columns = head["columns"] if header_only else {**head["columns"], "pixels": body}
        return FileRecord(Identity(**head["identity"]), columns, head["header_kind"])

    def close(self) -> None:
        """End the child; it can be used again."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def __enter__(self) -> "DecodeChild":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        with self._turn:
            return self._asked(request, body)

    def _asked(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._reap()  # it died between two files; neither is to blame
        process = self._process or self._start()
        late, answer, code = threading.Event(), None, 0
        watch = threading.Timer(self.limits.wall_s, _kill, (process, late))
        watch.start()
        try:
            with contextlib.suppress(OSError, EOFError, ValueError):
                answer = _exchange(process, request, body)
        finally:
            watch.cancel()
            watch.join()
            if answer is None or late.is_set():
                process.kill()
                code = self._reap()
        if answer is not None:
            return answer
        if late.is_set() or code == -signal.SIGXCPU:
            raise Rejected("timeout")
        raise Rejected("decoder_died", f"exit status {code}")

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a child that answers; one that is killed meanwhile was not ended by a file."""
        code = 0
        for _ in range(START_TRIES):
            process = self._launch()
            watch = threading.Timer(READY_S, process.kill)
            watch.start()
            try:
                _exchange(process, {}, b"")
                return process
            except (OSError, EOFError):
                code = self._reap()
            finally:
                watch.cancel()
        raise MgrayError(
            f"the decode child does not start, {START_TRIES} times in a row, exit status {code}: "
            "is the machine short of memory, or the installation damaged?"
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mgray.dicom.child", self.limits.model_dump_json()]
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=PIPE_BYTES,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        )
        self.starts += 1
        return self._process

    def _reap(self) -> int:
        """Wait for the dead child, so that no zombie stays, and close its pipes."""
        assert self._process is not None
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent bytes of a broken pipe
                    pipe.close()
        return process.wait()


def serve(requests: IO[bytes], answers: IO[bytes], limits: Limits) -> None:
    """Answer requests until the parent closes the pipe; runs in the child."""
    while True:
        try:
            request, body = _receive(requests)
        except EOFError:
            return
        if not request:
            _send(answers, {}, b"")
            continue
        _allow_cpu(limits.cpu_s)
        source = body if request["path"] is None else Path(request["path"])
        _send(answers, *_answer(source, limits, request))


def _answer(
    source: Path | bytes, limits: Limits, request: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    try:
        if "origin" in request:
            return {"origin": read_origin(source, limits)}, b""
        record = read_file(source, limits, **{name: request[name] for name in TOLD})
    except Rejected as error:
        return {"reason": error.reason, "detail": error.detail}, b""
    except BaseException as error:  # whatever it is, the file has a name for it
        return {"reason": "corrupt_pixels", "detail": type(error).__name__}, b""
    pixels = record.columns.pop("pixels", b"")
    return {**vars(record), "identity": vars(record.identity)}, pixels


def _exchange(
    process: subprocess.Popen[bytes], request: dict[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    _send(process.stdin, request, body)
    return _receive(process.stdout)


def _send(pipe: IO[bytes], head: dict[str, Any], body: bytes) -> None:
    text = json.dumps(head, allow_nan=False).encode()
    pipe.write(LENGTHS.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    lengths = LENGTHS.unpack(_exactly(pipe, LENGTHS.size))
    head, body = (_exactly(pipe, length) for length in lengths)
    return json.loads(head), body


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _allow_cpu(seconds: int) -> None:
    """Let the process use so many more seconds, counted from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _main() -> None:
    limits = Limits.model_validate_json(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the protocol
    import cv2

    importlib.import_module("pydicom")  # before the address space is limited
    for module in PACKAGES:
        with contextlib.suppress(ImportError):  # refusals name what is missing
            importlib.import_module(module)

    cv2.setNumThreads(1)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, answers, limits)


if __name__ == "__main__":
    _main()
