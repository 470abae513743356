"""One model for all stations: the windows that are due in the same turn of the loop, as one batch."""

import asyncio
from collections.abc import Sequence

import numpy as np

from streamer.flow import Frames, Probabilities
from streamer.model.session import Model

# A turn of the loop may not take longer than a hop of the quickest station (0.1 s); 64
# windows are about 30 ms of one core.
MAX_BATCH = 64


class Scheduler:
    """Collects windows until the loop comes round, then runs the model once.

    Stations wait for their answers, so no queue can grow: what a station has not read
    yet waits in its source's own buffer, and back-pressure does the rest.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._waiting: list[tuple[Frames, asyncio.Future[Probabilities]]] = []
        self.windows = 0

    async def infer(self, windows: Sequence[Frames]) -> list[Probabilities]:
        """Take windows of (n_frames, n_mels); give the (n_labels,) probabilities of each.

        Raises:
            Exception: whatever ONNX Runtime raised; every station that waits for the batch gets it.
        """
        loop = asyncio.get_running_loop()
        futures = []
        for frames in windows:
            if not self._waiting:
                loop.call_soon(self._run)
            futures.append(loop.create_future())
            self._waiting.append((frames, futures[-1]))
        return [await future for future in futures]

    def _run(self) -> None:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        try:
            probabilities = self._model.infer(np.stack([frames for frames, _ in batch]))
        except Exception as error:  # noqa: BLE001 - told to each station that waits: none may wait for ever
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        self.windows += len(batch)
        for row, (_, future) in zip(probabilities, batch, strict=True):
            if not future.done():
                future.set_result(row)
