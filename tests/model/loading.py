"""Model files from bytes, and what is said of those that are refused."""

from typing import TypeVar

import pytest

from streamer.errors import ModelError
from streamer.model.session import Model

Refusal = TypeVar("Refusal", bound=ModelError)


def load(data: bytes) -> Model:
    return Model(data, name="some.onnx", provider="cpu")


def refusal(data: bytes, kind: type[Refusal] = ModelError) -> Refusal:  # type: ignore[assignment]
    with pytest.raises(kind) as caught:
        load(data)
    assert caught.value.remedy
    return caught.value
