"""A graph cut in parts gives what the whole one gives, at any hop; one that can't be cut is refused."""

import contextlib
import importlib.resources
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, combinations, pairwise

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ModelContractError, ModelError
from streamer.model.cut import CutError, cut
from streamer.model.onnx_file import MalformedError
from streamer.model.session import Model
from tests.model import loading
from tests.model.loading import load
from tests.tiny_model import FRONT_END, LABELS, SEEN, STRIDE, model, model_bytes

DEFAULT = (importlib.resources.files("streamer.model") / "default.onnx").read_bytes()
SHIPPED = Model(DEFAULT, name="default.onnx", provider="cpu")
WHOLE = onnxruntime.InferenceSession(DEFAULT, providers=["CPUExecutionProvider"])
N_FRAMES, N_MELS = SHIPPED.contract.front_end.n_frames, SHIPPED.contract.front_end.n_mels
TWO = {"features_stride": "[1, 4]", "features_sees": "[1, 6]"}
refusal = partial(loading.refusal, kind=ModelContractError)
FRAMES = np.random.default_rng(0).normal(-2, 3, (2, 700, N_MELS)).astype(np.float32)


def in_pieces(model: Model, frames: np.ndarray, pieces: Sequence[int]) -> np.ndarray:
    """Give the last features of frames, each stage's so many steps at a time, and then the rest."""
    given = frames
    for stage in model.stages:
        most = (given.shape[stage.axis] - stage.context) // stage.stride
        ends = [*(end for end in accumulate(pieces) if end < most), most]
        given = np.concatenate(
            [stage.run(stage.part(given, at, end - at)) for at, end in pairwise([0, *ends])], axis=2
        )
    return given


def test_shipped_model_says_where_it_may_be_cut() -> None:
    stages = [(stage.made, stage.stride, stage.context, stage.steps) for stage in SHIPPED.stages]

    assert stages == [("found", 4, 30, 40), ("features", 1, 6, 34)]
    assert (SHIPPED.stride, SHIPPED.steps) == (4, 34)


@settings(max_examples=40, deadline=None)
@given(
    hop=st.integers(1, 40),
    pieces=st.lists(st.integers(1, 60), max_size=20),
)
def test_features_once_computed_answer_as_the_whole_graph(hop: int, pieces: list[int]) -> None:
    features = in_pieces(SHIPPED, FRAMES, pieces)

    for step in range(0, features.shape[2] - SHIPPED.steps + 1, hop):
        begin = step * SHIPPED.stride
        whole = WHOLE.run(["probabilities"], {"frames": FRAMES[:, begin : begin + N_FRAMES]})[0]
        shared = SHIPPED.classify(np.ascontiguousarray(features[:, :, step : step + SHIPPED.steps]))
        worst = np.abs(shared - whole).max()
        assert worst <= 1e-5, (step, worst)


def test_whole_windows_answer_as_the_whole_graph() -> None:
    whole = WHOLE.run(["probabilities"], {"frames": FRAMES[:, :N_FRAMES]})[0]

    np.testing.assert_allclose(SHIPPED.infer(FRAMES[:, :N_FRAMES]), whole, atol=1e-6)


def test_a_small_model_with_a_cut_keeps_its_contract() -> None:
    tiny = load(model_bytes(trunk=True))

    assert [(stage.stride, stage.context, stage.steps) for stage in tiny.stages] == [
        (STRIDE, SEEN - STRIDE, 29)
    ]
    assert (tiny.stride, tiny.steps) == (STRIDE, 29)
    frames = FRAMES[:, :118, :80]
    np.testing.assert_allclose(
        tiny.classify(in_pieces(tiny, frames, [1, 5, 3, 20])), tiny.infer(frames), atol=1e-6
    )


def test_cuts_follow_one_another() -> None:
    keys = {"features": '["bands", "features"]', "features_stride": "[1, 4]", "features_sees": "[1, 6]"}
    tiny = load(model_bytes(trunk=True, **keys))
    frames = FRAMES[:, :118, :80]

    stages = [(stage.stride, stage.context, stage.steps, stage.kept) for stage in tiny.stages]

    assert stages == [(1, 0, 118, 2), (4, 2, 29, 29)]
    assert (tiny.stride, tiny.steps) == (4, 29)
    np.testing.assert_allclose(
        tiny.classify(in_pieces(tiny, frames, [1, 5, 3, 20])), tiny.infer(frames), atol=1e-6
    )


def test_without_a_cut_there_are_no_stages() -> None:
    tiny = load(model_bytes())
    frames = FRAMES[:, : FRONT_END.n_frames, : FRONT_END.n_mels]

    assert (tiny.stages, tiny.stride, tiny.steps) == ((), 1, 118)
    assert tiny.classify(frames).shape == (2, len(LABELS))
    np.testing.assert_array_equal(tiny.classify(frames), tiny.infer(frames))


def test_a_free_time_axis_alone_is_no_fault() -> None:
    free = model()
    free.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "frames"

    assert load(free.SerializeToString()).steps == 118


def test_batches_of_all_sizes_are_warmed_up() -> None:
    SHIPPED.warm_up()
    load(model_bytes()).warm_up()


def test_weights_go_to_the_part_that_uses_them() -> None:
    parts = [onnx.load_model_from_string(part) for part in cut(DEFAULT, ["found", "features"])]

    filters, layers, head = ({tensor.name for tensor in part.graph.initializer} for part in parts)
    assert {"filters.patterns.weight", "filters.norm.weight"} < filters
    assert {"layers.0.conv.weight", "layers.2.conv.weight"} < layers
    assert {"dense.weight", "linear.weight"} < head
    for one, other in combinations((filters, layers, head), 2):
        assert not {name for name in one & other if not name.startswith("val_")}
    for part in parts:
        onnx.checker.check_model(part, full_check=True)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"features": '["nothing"]'}, "no node of stage 1 makes 'nothing'"),
        ({"features": '["frames"]'}, "no node of stage 1 makes 'frames'"),
        ({"features": '["weights"]'}, "no node of stage 1 makes 'weights'"),
        ({"features": '["probabilities"]'}, "no node of the head makes 'probabilities'"),
        ({"features": '["mean"]'}, "'mean' is (2, 80) for a window"),
        ({"features": '["features", "bands"]', **TWO}, "no node of stage 2 makes 'bands'"),
        ({"features": '["bands", "mean"]', **TWO}, "'mean' is (2, 80) for a window"),
        ({"features": '["bands", "features"]', **TWO, "features_sees": "[5, 6]"}, "not (batch, width, 114)"),
        (
            {"features": '["bands", "features"]', **TWO, "features_sees": "[1, 7]"},
            "'genrecast.features_sees'",
        ),
        ({"features": '["features", "features"]', **TWO}, "'genrecast.features'"),
        ({"features": '[""]'}, "'genrecast.features'"),
        ({"features": "features"}, "'genrecast.features'"),
        ({"features": "[]"}, "'genrecast.features_stride'"),
        ({"features_stride": "[2]"}, "for a window, not (batch, width, 57)"),
        ({"features_sees": "[10]"}, "for a window, not (batch, width, 28)"),
        ({"features_stride": "[0]"}, "'genrecast.features_stride'"),
        ({"features_stride": "[4, 1]"}, "'genrecast.features_stride'"),
        ({"features_sees": "[6, 1]"}, "'genrecast.features_sees'"),
        ({"features_stride": "[7]"}, "'genrecast.features_sees'"),
        ({"features_sees": "[7]"}, "'genrecast.features_sees'"),
        ({"features_sees": "[122]"}, "'genrecast.features_sees'"),
        ({"features_sees": "six"}, "'genrecast.features_sees'"),
    ],
)
def test_keys_that_do_not_fit_the_graph_are_named(keys: dict[str, str], says: str) -> None:
    assert says in refusal(model_bytes(trunk=True, **keys)).message


@pytest.mark.parametrize("key", ["features", "features_stride", "features_sees"])
def test_half_a_statement_is_refused(key: str) -> None:
    broken = model(trunk=True)
    kept = [entry for entry in broken.metadata_props if entry.key != f"genrecast.{key}"]
    del broken.metadata_props[:]
    broken.metadata_props.extend(kept)

    assert "genrecast.features_" in refusal(broken.SerializeToString()).message


def uses_the_trunk_twice(graph: onnx.GraphProto) -> None:
    graph.node[2].input[0] = "bands"
    graph.node.append(onnx.helper.make_node("Identity", ["features"], ["unused"]))


def uses_frames_behind_the_cut(graph: onnx.GraphProto) -> None:
    graph.node.insert(3, onnx.helper.make_node("Identity", ["frames"], ["again"]))


def has_a_graph_inside(graph: onnx.GraphProto) -> None:
    inner = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["mean"], ["x"])], "inner", [], [])
    graph.node.append(onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))


def has_sparse_weights(graph: onnx.GraphProto) -> None:
    graph.sparse_initializer.add()


def takes_one_number_of_frames(graph: onnx.GraphProto) -> None:
    graph.input[0].type.tensor_type.shape.dim[1].dim_value = 118


def pads(graph: onnx.GraphProto) -> None:
    node = graph.node[1]
    node.attribute.append(onnx.helper.make_attribute("pads", [4, 4]))
    node.attribute.append(onnx.helper.make_attribute("count_include_pad", 1))
    node.attribute[0].CopyFrom(onnx.helper.make_attribute("kernel_shape", [14]))


def levels_the_window(graph: onnx.GraphProto) -> None:
    graph.node[0].output[0] = "uneven"
    graph.node.insert(1, onnx.helper.make_node("Softmax", ["uneven"], ["bands"], axis=2))


def lacks_an_input(graph: onnx.GraphProto) -> None:
    graph.input[0].name = "x"


def lacks_an_output(graph: onnx.GraphProto) -> None:
    graph.output[0].name = "logits"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (uses_the_trunk_twice, "the head uses 'bands' beside 'features'"),
        (uses_frames_behind_the_cut, "the head uses 'frames' beside 'features'"),
        (has_a_graph_inside, "a node holds a graph of its own"),
        (has_sparse_weights, "sparse weights"),
        (takes_one_number_of_frames, "no input 'frames' of (batch, any, 80)"),
        (pads, "needs more than 6 of 'frames'"),
        (levels_the_window, "needs more than 6 of 'frames'"),
        (lacks_an_input, "the graph has no 'frames'"),
        (lacks_an_output, "the graph has no 'probabilities'"),
    ],
)
def test_graphs_that_can_not_be_cut_are_refused(spoil: Callable[[onnx.GraphProto], None], says: str) -> None:
    broken = model(trunk=True)
    spoil(broken.graph)

    assert says in refusal(broken.SerializeToString()).message


def test_each_stage_is_tried() -> None:
    broken = model(trunk=True, features='["bands", "features"]', **TWO)
    pads(broken.graph)

    assert "a step of 'features' needs more than 6 of 'bands'" in refusal(broken.SerializeToString()).message


def test_features_of_whole_numbers_are_refused() -> None:
    broken = model(trunk=True)
    broken.graph.node[1].output[0] = "means"
    broken.graph.node.insert(2, onnx.helper.make_node("Cast", ["means"], ["features"], to=7))
    broken.graph.node.insert(3, onnx.helper.make_node("Cast", ["features"], ["again"], to=1))
    broken.graph.node[4].input[0] = "again"

    with pytest.raises(ModelError, match="features"):
        load(broken.SerializeToString())


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 4000), bits=st.integers(1, 255))
def test_a_flipped_byte_never_crashes(at: int, bits: int) -> None:
    data = bytearray(model_bytes(trunk=True))
    data[at % len(data)] ^= bits
    with contextlib.suppress(ModelError):
        load(bytes(data))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_cut_or_refused(data: bytes) -> None:
    with contextlib.suppress(CutError, MalformedError):
        cut(data, ["found", "features"])
