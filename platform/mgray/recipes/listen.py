"""A C-STORE listener in front of the endpoint: an image in, its report into the archive.

The sender is told success when the report is stored, and not before: nothing is kept here, nothing
is lost with this process, and what could not be answered the sender sends again.

Hostile bytes are passed on, not parsed: the endpoint's isolated decoder reads them.

References:
    PS3.4 B.2.3 (status codes), PS3.7 9.1.1 (C-STORE).
"""

import ipaddress
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal
from weakref import WeakKeyDictionary

import httpx
from pydantic import Field

from mgray.config import Config
from mgray.errors import ConfigError, MgrayError
from mgray.recipes.stow import NotStoredError, archive_settings, store
from mgray.recipes.token import token_header

log = logging.getLogger(__name__)
LARGEST_PDU: Final = 2**20
"""Bytes; images come in PDUs of 16 kB, and what opens an association is smaller too."""
SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
"""Come again later."""
CANNOT_UNDERSTAND: Final = 0xC000
"""This image will not be answered."""
UNFIT: Final = (400, 413, 415, 422)
"""Statuses that tell of the image; any other tells of who answers, or of the way there."""
STALLED_S: Final = 30.0
"""Seconds for which a PDU that has begun may stand still, and until a sender says who it is."""
CODE: Final = re.compile(r"[a-z_0-9]{1,40}\Z")
Title = Annotated[str, Field(pattern=r"^ *[!-\[\]-~][ -\[\]-~]*$", max_length=16)]
"""Of an application entity: 16 characters of ASCII, no backslash, not blank (PS3.5 6.2)."""


class ListenConfig(Config):
    """Where images come from, who answers, and where reports go."""

    results: str
    """DICOMweb root of the archive, e.g. http://127.0.0.1:8042/dicom-web; its Authorization header
    is read from the environment, MGRAY_RESULTS_AUTHORIZATION."""
    endpoint: str = "http://127.0.0.1:8000"
    """Address of the endpoint; its token is read from MGRAY_TOKEN_FILE or MGRAY_TOKEN."""
    fppi: Literal["0.25", "0.5", "1", "2"] = "1"
    """Operating point of the reports, in false positives per image."""
    ae_title: Title = "MGRAY"
    """Of this listener; others are refused."""
    host: str = "127.0.0.1"
    """Address to listen on; another than loopback needs ``calling``."""
    port: int = Field(default=11112, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    calling: tuple[Title, ...] = ()
    """AE titles that may send; any if empty."""
    max_bytes: int = Field(default=50 * 2**20, ge=1)
    """Of one image; beyond that the association is aborted."""
    max_associations: int = Field(default=8, ge=1)
    """Senders at once."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Seconds to wait for the endpoint."""


def run_listen(config: ListenConfig) -> None:
    """Listen until interrupted.

    Raises:
        ConfigError: An open listener without a list of senders.
        MgrayError: The port is taken.
    """
    with listening(config) as port:
        log.info("listening as %s on %s:%d", config.ae_title, config.host, port)
        threading.Event().wait()


@contextmanager
def listening(config: ListenConfig) -> Iterator[int]:
    """Listen for as long as a ``with`` block; yields the port.

    Raises:
        ConfigError: An open listener without a list of senders.
        MgrayError: The port is taken.
    """
    _check_closed(config)
    for name in ("httpx", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.WARNING)
    headers = token_header()
    with (
        httpx.Client(base_url=config.endpoint, headers=headers, timeout=config.timeout_s) as ours,
        httpx.Client(**archive_settings(config.results)) as archive,
    ):
        server = _start(config, lambda body: answer(body, ours, archive, config.fppi))
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


def answer(body: bytes, endpoint: httpx.Client, archive: httpx.Client, fppi: str) -> int:
    """Have one image answered and its report stored.

    Args:
        body: A DICOM file.
        endpoint: Client of the endpoint.
        archive: Client of the archive.
        fppi: Operating point.

    Returns:
        Status of the C-STORE: success, come again later, or cannot understand.
    """
    headers = {"Content-Type": "application/dicom", "Accept": "application/dicom"}
    try:
        reply = endpoint.post("/v1/detect", content=body, headers=headers, params={"fppi": fppi})
        if reply.status_code != httpx.codes.OK:
            log.warning("refused: %d %s", reply.status_code, _code(reply))
            return CANNOT_UNDERSTAND if reply.status_code in UNFIT else OUT_OF_RESOURCES
        store(archive, [reply.content])
    except httpx.RequestError as error:
        log.warning("the endpoint does not answer: %s", type(error).__name__)
        return OUT_OF_RESOURCES
    except NotStoredError as error:
        log.warning("%s", error)
        return OUT_OF_RESOURCES
    log.info("answered")
    return SUCCESS


def _start(config: ListenConfig, handle: Callable[[bytes], int]) -> Any:
    from pynetdicom import AE, evt

    from mgray.dicom.codecs import SYNTAXES
    from mgray.dicom.kind import MG_PRESENTATION, MG_PROCESSING, PROJECTIONS

    entity = AE(ae_title=config.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(config.calling)
    entity.maximum_associations = config.max_associations
    entity.acse_timeout = STALLED_S
    for sop_class in (MG_PRESENTATION, MG_PROCESSING, *PROJECTIONS):
        entity.add_supported_context(sop_class, list(SYNTAXES))
    entity.add_supported_context("1.2.840.10008.1.1")  # verification
    bound = _Bound(config.max_bytes)

    def received(event: Any) -> int:
        bound.reset(event.assoc)
        return handle(event.encoded_dataset())

    handlers: list[Any] = [
        (evt.EVT_CONN_OPEN, bound_pdus),
        (evt.EVT_C_STORE, received),
        (evt.EVT_DATA_RECV, bound.count),
    ]
    try:
        return entity.start_server((config.host, config.port), False, evt_handlers=handlers)
    except OSError as error:
        raise MgrayError(
            f"port={config.port}: cannot listen on {config.host}: {error.strerror}"
        ) from None


def bound_pdus(event: Any) -> None:
    """End a connection whose PDU stands still, or announces more than any we agree to.

    pynetdicom reads a whole PDU, of up to 4 GiB by its header, before it tells of a byte, and waits
    for its rest without a limit: a few such senders would take all places for ever.
    """
    socket = event.assoc.dul.socket
    socket.socket.settimeout(STALLED_S)
    read = socket.recv

    def receive(count: int) -> bytearray:
        if count > LARGEST_PDU:
            log.warning("cut off: a PDU of more than %d bytes", LARGEST_PDU)
            raise OSError("the PDU is too large")
        found: bytearray = read(count)
        return found

    socket.recv = receive


class _Bound:
    """Bytes that came since an association's last image; too many end it.

    Each association has a thread of its own.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.taken = WeakKeyDictionary[Any, int]()
        self._turn = threading.Lock()

    def count(self, event: Any) -> None:
        with self._turn:
            taken = self.taken[event.assoc] = self.taken.get(event.assoc, 0) + len(event.data)
        if taken > self.max_bytes + 2**20:  # and what surrounds the image
            log.warning("aborted: an image is over %d bytes", self.max_bytes)
            event.assoc.abort()

    def reset(self, association: Any) -> None:
        with self._turn:
            self.taken.pop(association, None)


def _check_closed(config: ListenConfig) -> None:
    try:
        local = ipaddress.ip_address(config.host).is_loopback
    except ValueError:
        local = config.host == "localhost"
    if not local and not config.calling:
        raise ConfigError(
            f"host={config.host}: DICOM has no password: give calling=[AE_TITLE] of those that "
            "may send, and keep the port inside the network"
        )


def _code(reply: httpx.Response) -> str:
    """The problem's code, if it is one."""
    try:
        code = str(reply.json()["code"])
    except (ValueError, KeyError, TypeError):
        return "unknown"
    return code if CODE.match(code) else "unknown"
