"""Parts of a graph that windows share where they overlap: each of their steps is made once."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.config import Provider
from streamer.contract import REMEDY, Contract
from streamer.errors import ModelContractError
from streamer.model.cut import INPUT, CutError, cut
from streamer.model.onnx_file import MalformedError
from streamer.model.runtime import open_session

SAME_FEATURES = 1e-2  # of the largest: kernels differ by 1e-6 from shape to shape, padding by 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What makes the steps of one tensor of those of the one before it; of frames, the first stage.

    Attributes:
        session: runs it.
        given, made: names of the two tensors.
        stride: steps of what it is given from one of its own to the next.
        context: steps before the new ones that it must be given again.
        steps: of its own in a window.
        kept: those of its own that what comes next must see again: before new ones the next stage, all
            of a window the head.
        axis: of time in what it is given: 1 in frames, 2 in what a stage made.
    """

    session: ort.InferenceSession
    given: str
    made: str
    stride: int
    context: int
    steps: int
    kept: int
    axis: int

    def run(self, given: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make the steps that follow one another in what is given.

        Args:
            given: (batch, context + k * stride, n_mels) float32 frames, or what the stage before made:
                (batch, width, context + k * stride); k >= 1.

        Returns:
            (batch, width, k) float32, time last. Steps of any calls that follow one another are those
            of one call, within 1e-5 of the largest.
        """
        made: NDArray[np.float32] = self.session.run([self.made], {self.given: given})[0]
        return made

    def part(self, given: NDArray[np.float32], begin: int, count: int) -> NDArray[np.float32]:
        """Give what `count` steps from step `begin` on are made of."""
        span = slice(begin * self.stride, (begin + count) * self.stride + self.context)
        return given[:, span] if self.axis == 1 else given[:, :, span]

    def check(self, given: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """Make a window's steps; see that they are whole, and that one needs no more than is stated.

        Args:
            given: of a window, as `run` takes it.
            name: the file's, for messages.

        Raises:
            ModelContractError: they aren't, or it does.
        """
        made = self.run(given)
        if made.ndim != 3 or made.shape[2] != self.steps:
            raise ModelContractError(
                f"{name}: '{self.made}' is {made.shape} for a window, not (batch, width, {self.steps})",
                remedy=REMEDY,
            )
        middle = self.steps // 2  # far from both ends, where padding would not be seen
        alone, among = self.run(self.part(given, middle, 1)), made[:, :, middle : middle + 1]
        bound = SAME_FEATURES * np.abs(among).max()
        if alone.shape != among.shape or not np.abs(alone - among).max() <= bound:
            sees = self.context + self.stride
            raise ModelContractError(
                f"{name}: a step of '{self.made}' needs more than {sees} of '{self.given}'",
                remedy="state no cut for a network that pads or looks further: " + REMEDY,
            )
        return made


def open_stages(
    data: bytes, contract: Contract, *, name: str, provider: Provider
) -> tuple[tuple[Stage, ...], bytes]:
    """Open the stages of a model file; give them, and the bytes of what goes on from the last.

    Args:
        data: the file's bytes, which `onnx_file.scan` has been through.
        contract: says where it may be cut; without a cut there are no stages, and all is left.
        name: the file's, for messages.
        provider: see `open_session`.

    Raises:
        ModelError: ONNX Runtime refuses a part.
        ModelContractError: the graph can't be cut there.
        ProviderError: `cuda` was asked for and is not active.
    """
    if not contract.features:
        return (), data
    try:
        *parts, head = cut(data, contract.features)
    except (CutError, MalformedError) as error:
        where = "', '".join(contract.features)[:60]
        raise ModelContractError(
            f"{name}: the graph can't be cut at '{where}': {error}",
            remedy="take the 'genrecast.features' keys out of its metadata, or " + REMEDY,
        ) from error
    stages: list[Stage] = []
    contexts = [
        sees - stride for stride, sees in zip(contract.features_stride, contract.features_sees, strict=True)
    ]
    given, steps = INPUT, contract.front_end.n_frames
    for number, (part, made) in enumerate(zip(parts, contract.features, strict=True)):
        stride, context = contract.features_stride[number], contexts[number]
        steps = (steps - context) // stride
        stages.append(
            Stage(
                open_session(part, name=name, provider=provider),
                given,
                made,
                stride=stride,
                context=context,
                steps=steps,
                kept=contexts[number + 1] if made != contract.features[-1] else steps,
                axis=2 if number else 1,
            )
        )
        given = made
    return tuple(stages), head
