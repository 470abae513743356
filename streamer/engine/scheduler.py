"""One model for all stations of a process: the windows that are due about the same time, as one batch."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.engine.overlap import Overlap
from streamer.flow import Frames, Probabilities, Window
from streamer.model.session import Model

MAX_BATCH = 32  # what fits a core's cache; more in one call is no cheaper
# Windows of other stations are waited for so long where there are many: a call of the model has
# fixed costs, and the weights of its head alone are a megabyte to be read.
GATHER_S = 0.03
MANY = 16  # stations, from which on it pays


class _Job(NamedTuple):
    overlap: Overlap
    frames: Frames
    answer: asyncio.Future[Probabilities]


class Scheduler:
    """Collects windows, then runs the model once.

    Stations wait for their answers, so no queue can grow: what a station has not read
    yet waits in its source's own buffer, and back-pressure does the rest.

    Args:
        model: of all stations.
        stations: how many there are; few aren't kept waiting for each other.
    """

    def __init__(self, model: Model, stations: int = 1) -> None:
        self._model = model
        self._gather_s = GATHER_S if stations >= MANY else 0.0
        self._waiting: list[_Job] = []
        self._due: asyncio.TimerHandle | asyncio.Handle | None = None
        self.windows = 0

    async def infer(self, overlap: Overlap, windows: Sequence[Window]) -> list[Probabilities]:
        """Take a station's windows, oldest first; give the (n_labels,) probabilities of each.

        Raises:
            Exception: whatever ONNX Runtime raised; every station that waits for the batch gets it.
        """
        loop = asyncio.get_running_loop()
        jobs = [_Job(overlap, overlap.asks(window), loop.create_future()) for window in windows]
        self._waiting += jobs
        if jobs and self._due is None:
            self._due = loop.call_later(self._gather_s, self._run) if self._gather_s else self._soon()
        elif jobs and len(self._waiting) >= MAX_BATCH and self._due is not None:
            self._due.cancel()
            self._due = self._soon()
        return [await job.answer for job in jobs]

    def _soon(self) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._due = self._soon() if self._waiting else None
        try:
            features = np.stack(self._features(batch))
            probabilities = self._model.classify(features)
        except Exception as error:  # noqa: BLE001 - told to each station that waits: none may wait for ever
            for job in batch:
                job.overlap.forget()
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        self.windows += len(batch)
        for row, job in zip(probabilities, batch, strict=True):
            if not job.answer.done():
                job.answer.set_result(row)

    def _features(self, batch: list[_Job]) -> list[NDArray[np.float32]]:
        """Give each job's (width, steps) features; jobs of as many frames share a call of the trunk."""
        found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(batch)
        order = sorted(range(len(batch)), key=lambda i: len(batch[i].frames))
        for _, group in groupby(order, key=lambda i: len(batch[i].frames)):
            chosen = list(group)
            features = self._model.features(np.stack([batch[i].frames for i in chosen]))
            for i, row in zip(chosen, features, strict=True):
                found[i] = row
        return [job.overlap.extend(row, self._model.steps) for job, row in zip(batch, found, strict=True)]
