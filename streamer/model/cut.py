"""One graph cut in two at a tensor: the trunk that makes it, and the head that goes on from it.

The bytes of a whole model -> the bytes of two, each a model of its own. As in
`onnx_file`, on the wire format alone: messages are passed on as they are, only
the graphs around them and the tensor between them are written anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from streamer.model.onnx_file import fields, message, text

INPUT, OUTPUT = "frames", "probabilities"
_GRAPH, _METADATA, _TRAINING = 7, 14, 20  # of ModelProto; the last two belong to no part
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 2, 5, 11, 12, 15  # of GraphProto
_SUBGRAPHS = {6, 11}  # of AttributeProto
_TENSOR_NAME, _FLOAT = 8, 1

Wire = bytes | memoryview


class CutError(ValueError):
    """The graph can't be cut there, and why."""


@dataclass(frozen=True, slots=True)
class _Node:
    wire: memoryview
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def cut(data: bytes, features: str) -> tuple[bytes, bytes]:
    """Give the trunk, `frames` -> `features`, and the head, `features` -> `probabilities`.

    The trunk is what is needed to make `features`, the head is the rest. What both
    read of the weights goes to both.

    Raises:
        CutError: there is no such tensor, or more than it goes from the one part to the other.
        MalformedError: the bytes are no ONNX file.
    """
    parts: dict[int, list[memoryview]] = {}
    for number, value in fields(_graph(data)):
        if isinstance(value, memoryview):
            parts.setdefault(number, []).append(value)
    if _SPARSE in parts:
        raise CutError("it holds sparse weights")
    weights = {_name(wire, _TENSOR_NAME): wire for wire in parts.get(_INITIALIZER, [])}
    trunk, head = _divide([_node(wire) for wire in parts.get(_NODE, [])], features)
    _check(trunk, {INPUT}, weights, features, "trunk")
    _check(head, {features}, weights, OUTPUT, "head")
    between = _tensor(features, ("batch", "width", "steps"))
    outer = [_field(n, v) for n, v in fields(memoryview(data)) if n not in (_GRAPH, _METADATA, _TRAINING)]
    first, last = _find(parts.get(_INPUT, []), INPUT), _find(parts.get(_OUTPUT, []), OUTPUT)
    return (
        b"".join((*outer, _part("trunk", trunk, weights, first, between))),
        b"".join((*outer, _part("head", head, weights, between, last))),
    )


def _graph(data: bytes) -> memoryview:
    """Give the graph of a model."""
    graphs = [value for number, value in fields(memoryview(data)) if number == _GRAPH]
    if len(graphs) != 1:  # readers of protobuf would merge them
        raise CutError(f"it holds {len(graphs)} graphs")
    return message(graphs[0])


def _node(wire: memoryview) -> _Node:
    """Read what goes in and out of a node."""
    names: dict[int, list[str]] = {1: [], 2: []}
    for number, value in fields(wire):
        if number in names:
            names[number].append(text(value))
        elif number == 5 and any(inner in _SUBGRAPHS for inner, _ in fields(message(value))):
            raise CutError("a node holds a graph of its own")
    return _Node(wire, tuple(names[1]), tuple(names[2]))


def _divide(nodes: Sequence[_Node], features: str) -> tuple[list[_Node], list[_Node]]:
    """Give the nodes that `features` needs, and the rest, both in order."""
    trunk: list[_Node] = []
    head: list[_Node] = []
    needed = {features}
    for node in reversed(nodes):
        if needed.isdisjoint(node.outputs):
            head.append(node)
        else:
            trunk.append(node)
            needed.update(node.inputs)
    return trunk[::-1], head[::-1]


def _check(nodes: Sequence[_Node], given: set[str], weights: Iterable[str], output: str, part: str) -> None:
    """See that a part makes its output, of what it is given and of weights alone."""
    made = set(chain.from_iterable(node.outputs for node in nodes))
    used = set(chain.from_iterable(node.inputs for node in nodes))
    if output not in made:
        raise CutError(f"no node of the {part} makes '{output}'")
    foreign = used - made - given - set(weights) - {""}
    if foreign:
        raise CutError(f"the {part} uses '{min(foreign)}' beside '{min(given)}'")
    if not given <= used:
        raise CutError(f"the {part} does not use '{min(given)}'")


def _find(values: Sequence[memoryview], wanted: str) -> memoryview:
    """Give the description of the graph's input or output of some name."""
    for wire in values:
        if _name(wire, 1) == wanted:
            return wire
    raise CutError(f"the graph has no '{wanted}'")


def _part(
    name: str, nodes: Sequence[_Node], weights: dict[str, memoryview], given: Wire, made: Wire
) -> bytes:
    """Write the graph of a part, as a field of its model."""
    used = set(chain.from_iterable(node.inputs for node in nodes))
    return _field(
        _GRAPH,
        b"".join(
            (
                *(_field(_NODE, node.wire) for node in nodes),
                _field(_NAME, name.encode()),
                *(_field(_INITIALIZER, wire) for key, wire in weights.items() if key in used),
                _field(_INPUT, given),
                _field(_OUTPUT, made),
            )
        ),
    )


def _tensor(name: str, axes: Iterable[str]) -> bytes:
    """Write a ValueInfoProto: floats, with axes that have names and no sizes."""
    shape = b"".join(_field(1, _field(2, axis.encode())) for axis in axes)
    kind = _field(1, _FLOAT) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, kind))


def _name(wire: memoryview, number: int) -> str:
    """Give the name of a tensor, which is the field of some number."""
    return next((text(value) for found, value in fields(wire) if found == number), "")


def _field(number: int, value: int | Wire) -> bytes:
    """Write one field: a number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return b"".join((_varint(number << 3 | 2), _varint(len(value)), value))


def _varint(value: int) -> bytes:
    """Write one base-128 number."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
