"""What must be known of an ONNX file before ONNX Runtime may see it, read from its bytes alone.

The runtime follows paths to external data as soon as it is handed a model, so the
check can't be left to it, and the `onnx` package would cost the daemon 20 MB and
a fifth of a second at start. The protobuf wire format and the few field numbers
needed are documented at protobuf.dev/programming-guides/encoding and in onnx.proto3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32  # our graphs are flat; a nesting deeper than this is an attack on the recursion

# message -> field number -> what message it holds; everything else is skipped unread.
_CHILDREN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


class MalformedError(ValueError):
    """The bytes are no protobuf message: cut off, or something else altogether."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What the bytes say.

    Attributes:
        metadata: the flat map of strings.
        opsets: operator sets that it imports, in functions too: domain and version; the standard one is "".
        external: True when a tensor's data lies in another file.
        has_graph: False when there is nothing to run.
    """

    metadata: dict[str, str]
    opsets: frozenset[tuple[str, int]]
    external: bool
    has_graph: bool


def scan(data: bytes) -> OnnxFile:
    """Read what `OnnxFile` holds.

    Raises:
        MalformedError: the bytes are no ONNX file.
    """
    metadata: dict[str, str] = {}
    opsets: set[tuple[str, int]] = set()
    has_graph = False
    for number, value in fields(memoryview(data)):
        if number == 7:
            has_graph = True
        elif number == 8:
            opsets.add(_opset(message(value)))
        elif number == 25:
            opsets |= {_opset(message(its)) for at, its in fields(message(value)) if at == 9}
        elif number == 14:
            entry = dict(fields(message(value)))
            key = text(entry.get(1, memoryview(b"")))
            metadata[key] = text(entry.get(2, memoryview(b"")))
    return OnnxFile(metadata, frozenset(opsets), _has_external(memoryview(data), "model", 0), has_graph)


def _opset(data: memoryview) -> tuple[str, int]:
    entry = dict(fields(data))
    version = entry.get(2, 0)
    return text(entry.get(1, memoryview(b""))), version if isinstance(version, int) else 0


def _has_external(data: memoryview, kind: str, depth: int) -> bool:
    """Say whether any tensor below points to another file."""
    if depth > _MAX_DEPTH:
        raise MalformedError("nested too deeply")
    if kind == "tensor":
        # TensorProto.external_data is field 13, .data_location is 14 (0: here).
        return any(number == 13 or (number == 14 and value != 0) for number, value in fields(data))
    children = _CHILDREN[kind]
    return any(
        _has_external(message(value), children[number], depth + 1)
        for number, value in fields(data)
        if number in children
    )


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Give field numbers with their values, in order.

    Raises:
        MalformedError: the bytes are no protobuf message.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag >= 2**32:  # protobuf's own readers keep 32 bits and would see another field
            raise MalformedError("field number out of range")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise MalformedError(f"wire type {wire}")
        if size > end - at:
            raise MalformedError("cut off")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read one base-128 number; give it and where the next field begins."""
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise MalformedError("cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise MalformedError("number too long")


def message(value: int | memoryview) -> memoryview:
    """Give a field's value as the bytes of a message, or raise `MalformedError`."""
    if isinstance(value, int):
        raise MalformedError("a number where a message belongs")
    return value


def text(value: int | memoryview) -> str:
    """Give a field's value as text, or raise `MalformedError`."""
    try:
        return bytes(message(value)).decode()
    except UnicodeDecodeError as error:
        raise MalformedError("text that is not UTF-8") from error
