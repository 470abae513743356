"""A model file is used as it is promised, or refused with a sentence that helps."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.contract import probe_samples
from streamer.errors import ModelContractError, ModelError, ProviderError
from streamer.model import session
from streamer.model.onnx_file import MalformedError, scan
from streamer.model.session import Model
from tests.model.loading import load, refusal
from tests.tiny_model import FRONT_END, LABELS, model, model_bytes


def test_gives_probabilities_for_a_batch():
    tiny = load(model_bytes())

    answer = tiny.infer(np.random.default_rng(0).normal(size=(5, 118, 80)).astype(np.float32))

    assert answer.shape == (5, len(LABELS))
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-6)


def test_contract_survives_the_file():
    contract = load(model_bytes()).contract

    assert contract.labels == LABELS
    assert contract.genres == ("jazz", "metal")
    assert contract.front_end == FRONT_END


def test_embedded_model_loads_and_passes_its_probe():
    embedded = Model.load(provider="cpu")

    assert {"blues", "classical", "country", "disco", "electronic", "folk", "hiphop"} < set(
        embedded.contract.labels
    )
    assert set(embedded.contract.not_music) == {"speech", "noise"}


KEYS = sorted(entry.key for entry in model().metadata_props)


@pytest.mark.parametrize("key", KEYS)
def test_missing_key_is_named(key):
    broken = model()
    kept = [entry for entry in broken.metadata_props if entry.key != key]
    del broken.metadata_props[:]
    broken.metadata_props.extend(kept)

    error = refusal(broken.SerializeToString())

    assert error.code == "model-contract"
    assert f"'{key}' is missing" in error.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hop_length", '"many"'),
        ("hop_length", "0"),
        ("hop_length", "2048"),
        ("n_mels", "-1"),
        ("f_max", "9000"),
        ("mel_scale", "bark"),
        ("labels", '["jazz", "jazz"]'),
        ("labels", "[]"),
        ("not_music", '["opera"]'),
        ("contract", "99"),
        ("probe_probabilities", "[1.0]"),
        ("log_offset", "NaN"),
        ("unsure_below", "7"),
    ],
)
def test_wrong_value_is_named(key, value):
    error = refusal(model_bytes(**{key: value}))

    assert error.code == "model-contract"
    assert f"genrecast.{key}" in error.message


@pytest.mark.parametrize("key", ["hop_length", "f_min", "mel_scale", "log_offset"])
def test_probe_catches_another_front_end(key):
    other = {"hop_length": "200", "f_min": "300", "mel_scale": "slaney", "log_offset": "0.01"}

    error = refusal(model_bytes(**{key: other[key]}))

    # A shorter hop gives more frames than the graph takes: that is told before the probe runs.
    assert "probe" in error.message or "graph" in error.message


def test_probe_names_what_differs():
    error = refusal(model_bytes(probe_probabilities=json.dumps([0.7, 0.1, 0.1, 0.1])))

    assert "probe" in error.message
    assert any(label in error.message for label in LABELS)


def test_foreign_model_is_told_apart():
    foreign = model()
    del foreign.metadata_props[:]

    assert "not one of genrecast's" in refusal(foreign.SerializeToString()).message


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(share):
    data = model_bytes()

    refusal(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "data", [b"hello, this is text\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(500), bytes(100)]
)
def test_what_is_no_onnx_is_refused(data):
    assert refusal(data).code in ("model-file", "model-contract")


def test_external_data_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(80 * 4 * 4))
    outside = model()
    tensor = outside.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret.bin"

    error = refusal(outside.SerializeToString())

    assert "external data" in error.message


def test_external_data_is_found_behind_an_overlong_tag():
    """Readers of protobuf keep 32 bits of a tag: field 13 plus 2**29 is field 13 to them."""
    tag = (13 << 3 | 2) + 2**32
    varint = b""
    while tag:
        varint += bytes([tag & 0x7F | (0x80 if tag > 0x7F else 0)])
        tag >>= 7
    graph = b"\x2a" + bytes([len(varint) + 1]) + varint + b"\x00"  # an initializer with that field, empty

    with pytest.raises(MalformedError):
        scan(b"\x3a" + bytes([len(graph)]) + graph)


def test_graph_for_one_window_alone_is_refused():
    single = model()
    single.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    assert "(batch," in refusal(single.SerializeToString()).message


def test_external_data_in_a_nested_graph_is_found():
    inner = onnx.helper.make_tensor("hidden", onnx.TensorProto.FLOAT, [1], [0.0])
    inner.data_location = onnx.TensorProto.EXTERNAL
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["x"], value=inner)], "inner", [], []
    )
    outer = model()
    outer.graph.node.append(onnx.helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph))

    assert scan(outer.SerializeToString()).external


def test_what_a_function_brings_is_seen() -> None:
    """External data as an attribute's default, and operators that only the function imports."""
    inner = onnx.helper.make_tensor("hidden", onnx.TensorProto.FLOAT, [1], [0.0])
    inner.data_location = onnx.TensorProto.EXTERNAL
    outer = model()
    function = outer.functions.add(name="f", domain="")
    function.opset_import.append(onnx.helper.make_opsetid("ai.evil", 1))

    assert ("ai.evil", 1) in scan(outer.SerializeToString()).opsets
    assert refusal(outer.SerializeToString()).code == "model-file"

    function.attribute_proto.append(onnx.helper.make_attribute("value", inner))
    assert scan(outer.SerializeToString()).external


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero")
def test_a_file_without_end_is_read_no_further_than_a_model_may_be_long(monkeypatch):
    monkeypatch.setattr(session, "MAX_BYTES", 1000)

    with pytest.raises(ModelError, match="no model of ours"):
        Model.load("/dev/zero")
    assert "no model of ours" in refusal(model_bytes()).message


@pytest.mark.parametrize(("domain", "version"), [("", 5), ("", 99), ("ai.evil", 1)])
def test_foreign_opset_is_refused(domain, version):
    foreign = model()
    if domain:
        foreign.opset_import.append(onnx.helper.make_opsetid(domain, version))
    else:
        foreign.opset_import[0].version = version

    assert refusal(foreign.SerializeToString()).code == "model-file"


def test_renamed_input_is_refused():
    renamed = model()
    renamed.graph.input[0].name = "x"
    renamed.graph.node[0].input[0] = "x"

    assert "no input 'frames'" in refusal(renamed.SerializeToString()).message


def test_missing_file_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.onnx"):
        Model.load(tmp_path / "nothing.onnx")


def test_cuda_that_is_not_there_is_an_error():
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is there")
    with pytest.raises(ProviderError):
        Model(model_bytes(), name="some.onnx", provider="cuda")


@pytest.mark.filterwarnings("ignore")  # ONNX Runtime warns of what it lacks
def test_cuda_that_does_not_start_is_an_error(monkeypatch):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is there")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])

    with pytest.raises(ProviderError, match="could not start"):
        Model(model_bytes(), name="some.onnx", provider="cuda")
    assert Model(model_bytes(), name="some.onnx", provider="auto").provider == "cpu"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_scanned_or_refused(data):
    with contextlib.suppress(MalformedError):
        scan(data)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 1200), bits=st.integers(1, 255))
def test_a_flipped_byte_never_crashes(at, bits):
    data = bytearray(model_bytes())
    data[at % len(data)] ^= bits
    with contextlib.suppress(ModelError):
        load(bytes(data))


def test_probe_samples_never_change():
    samples = probe_samples(1, 48_000)

    np.testing.assert_allclose(samples[:4], [-0.08594662, 0.05578631, 0.0500411, 0.06770975], atol=1e-7)


def test_base_install_loads_no_torch():
    code = (
        "import sys, streamer.engine.daemon, streamer.cli.run, streamer.cli.listen, streamer.cli.classify;"
        "heavy = {'torch', 'torchaudio', 'librosa', 'scipy', 'onnx', 'training', 'export'};"
        "heavy &= set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, cwd=Path(__file__).parents[2])


def test_contract_error_is_a_model_error():
    assert issubclass(ModelContractError, ModelError)
