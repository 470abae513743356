"""One graph cut at tensors: the stages that make one after the other, and the head that goes on from there.

The bytes of a whole model -> the bytes of several, each a model of its own. As in
`onnx_file`, on the wire format alone: messages are passed on as they are, only
the graphs around them and the tensors between them are written anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

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


def cut(data: bytes, features: Sequence[str]) -> list[bytes]:
    """Give the stages, `frames` -> the first of `features` -> the next, and the head, -> `probabilities`.

    A stage is what is needed to make its tensor of the one before, the head is the rest.
    What several read of the weights goes to each.

    Raises:
        CutError: there is no such tensor, or more than it goes from one part to the next.
        MalformedError: the bytes are no ONNX file.
    """
    parts: dict[int, list[memoryview]] = {}
    for number, value in fields(_graph(data)):
        if isinstance(value, memoryview):
            parts.setdefault(number, []).append(value)
    if _SPARSE in parts:
        raise CutError("it holds sparse weights")
    weights = {_name(wire, _TENSOR_NAME): wire for wire in parts.get(_INITIALIZER, [])}
    names = (INPUT, *features, OUTPUT)
    tensors: list[Wire] = [
        _find(parts.get(_INPUT, []), INPUT),
        *(_tensor(name, ("batch", f"{name}_width", f"{name}_steps")) for name in features),
        _find(parts.get(_OUTPUT, []), OUTPUT),
    ]
    outer = [_field(n, v) for n, v in fields(memoryview(data)) if n not in (_GRAPH, _METADATA, _TRAINING)]
    rest = [_node(wire) for wire in parts.get(_NODE, [])]
    cuts = []
    for number, (given, made) in enumerate(pairwise(names)):
        part = f"stage {number + 1}" if number < len(features) else "the head"
        nodes, rest = _divide(rest, made) if number < len(features) else (rest, [])
        _check(nodes, given, weights, made, part)
        cuts.append(b"".join((*outer, _part(part, nodes, weights, *tensors[number : number + 2]))))
    return cuts


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


def _divide(nodes: Sequence[_Node], made: str) -> tuple[list[_Node], list[_Node]]:
    """Give the nodes that a tensor needs, and the rest, both in order."""
    stage: list[_Node] = []
    rest: list[_Node] = []
    needed = {made}
    for node in reversed(nodes):
        if needed.isdisjoint(node.outputs):
            rest.append(node)
        else:
            stage.append(node)
            needed.update(node.inputs)
    return stage[::-1], rest[::-1]


def _check(nodes: Sequence[_Node], given: str, weights: Iterable[str], output: str, part: str) -> None:
    """See that a part makes its output, of what it is given and of weights alone."""
    made = set(chain.from_iterable(node.outputs for node in nodes))
    used = set(chain.from_iterable(node.inputs for node in nodes))
    if output not in made:
        raise CutError(f"no node of {part} makes '{output}'")
    foreign = used - made - {given} - set(weights) - {""}
    if foreign:
        raise CutError(f"{part} uses '{min(foreign)}' beside '{given}'")
    if given not in used:
        raise CutError(f"{part} does not use '{given}'")


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
