"""Pickles of plain data, read and written without running anything.

NYU's tools keep lists of exams as pickles, and a pickle is a program. This reads the opcodes that
plain data need (lists, dicts, texts, numbers, and NumPy's scalars as numbers) and refuses all
others, so that nothing of a file is ever called.
"""

import pickletools
import struct
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np

from mgray.errors import ConfigError

MARK: Final = object()
MOST_BYTES: Final = 2**30
MOST_STEPS: Final = 50_000_000
"""Opcodes; one of a byte may become an object of many."""
SCALARS: Final = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
DTYPE: Final = "numpy dtype"
ENCODE: Final = "_codecs encode"
"""How Python 3 writes bytes in protocol 2."""
IGNORED: Final = frozenset({"PROTO", "FRAME"})
CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES: Final = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
})  # fmt: skip


def read_pickle(data: bytes) -> Any:
    """Read plain data.

    Args:
        data: A pickle of any protocol.

    Raises:
        ConfigError: Not a pickle, or one that holds more than plain data.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError(f"the pickle has {len(data)} bytes, expected {MOST_BYTES} at most")
    try:
        return _Reader().run(data)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the file is no pickle of plain data ({type(error).__name__}): get it again"
        ) from None


def write_pickle(value: Any) -> bytes:
    """Write lists, dicts, texts, whole and real numbers, booleans and None, in protocol 2."""
    return b"\x80\x02" + b"".join(_written(value)) + b"."


class _Reader:
    """A stack machine that knows no call."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            name = opcode.name
            if number > MOST_STEPS:
                raise ConfigError(f"the pickle has more than {MOST_STEPS} steps: not read")
            if name == "STOP":
                return self.stack.pop()
            if name in VALUES:
                self.stack.append(argument)
            elif name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in STEPS:
                STEPS[name](self, argument)
            elif name not in IGNORED:
                raise ConfigError(f"the pickle holds more than plain data ({name}): not read")
        raise ConfigError("the pickle ends in the middle: get it again")

    def marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        at = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        items, self.stack[at:] = self.stack[at + 1 :], []
        return items

    def put(self, argument: int | None) -> None:
        self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]

    def drop(self, _: Any) -> None:
        self.stack.pop()

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[int(argument)])

    def name(self, argument: str | None) -> None:
        """Push the name of a class or function; only NumPy's scalars are known."""
        if argument is None:
            attribute, module = self.stack.pop(), self.stack.pop()
            argument = f"{module} {attribute}"
        if argument not in (*SCALARS, DTYPE, ENCODE):
            raise ConfigError("the pickle names code to run: not read")
        self.stack.append(("named", argument))

    def reduce(self, _: Any) -> None:
        """Make of NumPy's scalar the number it is, of a text its bytes; nothing is called."""
        arguments, (_, what) = self.stack.pop(), self.stack.pop()
        if what == DTYPE:
            self.stack.append(("dtype", str(arguments[0])))
            return
        if what == ENCODE:
            self.stack.append(str(arguments[0]).encode("latin-1"))
            return
        (_, kind), raw = arguments
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        if np.dtype(kind).kind not in "biuf":
            raise ConfigError("the pickle holds a NumPy object that is no number: not read")
        self.stack.append(np.frombuffer(raw, np.dtype(kind).newbyteorder("<"))[0].item())

    def extend(self, _: Any) -> None:
        items = self.marked()
        self.stack[-1].extend(items)

    def append(self, _: Any) -> None:
        item = self.stack.pop()
        self.stack[-1].append(item)

    def set_items(self, _: Any) -> None:
        items = self.marked()
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][key] = value

    def make_tuple(self, count: int | None) -> None:
        items = self.marked() if count is None else self.stack[len(self.stack) - count :]
        if count is not None:
            del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def make_dict(self) -> None:
        items = self.marked()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))


STEPS: Final[dict[str, Callable[[_Reader, Any], None]]] = {
    "MARK": lambda reader, _: reader.stack.append(MARK),
    "POP": _Reader.drop,
    "EMPTY_LIST": lambda reader, _: reader.stack.append([]),
    "EMPTY_DICT": lambda reader, _: reader.stack.append({}),
    "EMPTY_TUPLE": lambda reader, _: reader.stack.append(()),
    "LIST": lambda reader, _: reader.stack.append(reader.marked()),
    "DICT": lambda reader, _: reader.make_dict(),
    "TUPLE": lambda reader, _: reader.make_tuple(None),
    "TUPLE1": lambda reader, _: reader.make_tuple(1),
    "TUPLE2": lambda reader, _: reader.make_tuple(2),
    "TUPLE3": lambda reader, _: reader.make_tuple(3),
    "APPEND": _Reader.append,
    "APPENDS": _Reader.extend,
    "SETITEM": _Reader.set_item,
    "SETITEMS": _Reader.set_items,
    "PUT": _Reader.put,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "MEMOIZE": _Reader.put,
    "GET": _Reader.get,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "GLOBAL": _Reader.name,
    "STACK_GLOBAL": _Reader.name,
    "REDUCE": _Reader.reduce,
    "BUILD": _Reader.drop,
}
"""Opcode to what it does; ``BUILD`` sets the byte order of a NumPy type, which is little endian."""


def _written(value: Any) -> Iterator[bytes]:
    kind = type(value)
    if kind in SCALAR_CODES:
        yield SCALAR_CODES[kind](value)
        return
    if kind not in CONTAINER_CODES:
        raise TypeError(f"{kind.__name__} is no plain data")
    start, end = CONTAINER_CODES[kind]
    yield start
    for part in chain.from_iterable(value.items()) if kind is dict else value:
        yield from _written(part)
    yield end


def _text(value: str) -> bytes:
    text = value.encode()
    return b"X" + struct.pack("<I", len(text)) + text


SCALAR_CODES: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"\x88" if value else b"\x89",
    int: lambda value: b"J" + struct.pack("<i", value),
    float: lambda value: b"G" + struct.pack(">d", value),
    str: _text,
}
CONTAINER_CODES: Final[dict[type, tuple[bytes, bytes]]] = {
    dict: (b"}(", b"u"),
    list: (b"](", b"e"),
    tuple: (b"(", b"t"),
}
