"""One model for all stations of a process: the windows that are due about the same time, as one batch."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.engine.overlap import Overlap
from streamer.engine.stages import Stages
from streamer.flow import Frames, Probabilities, Window
from streamer.model.session import Model
from streamer.model.stage import Stage

MAX_BATCH = 32  # what fits a core's cache; more in one call is no cheaper
GROUP = 16  # in a call of a stage on a processor: a tick's windows of a hundred stations; 32 take 7 MB more


class _Job(NamedTuple):
    overlap: Overlap
    frames: Frames
    answer: asyncio.Future[Probabilities]


class Scheduler:
    """Collects windows until the loop comes round, then runs the model once.

    Stations wait for their answers, so no queue can grow: what a station has not read
    yet waits in its source's own buffer, and back-pressure does the rest.

    Args:
        model: of all stations.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._group = GROUP if model.provider == "cpu" else MAX_BATCH
        self._waiting: list[_Job] = []
        self._due: asyncio.Handle | None = None
        self.windows = 0
        self.stages = Stages()

    async def infer(self, overlap: Overlap, windows: Sequence[Window]) -> list[Probabilities]:
        """Take a station's windows, oldest first; give the (n_labels,) probabilities of each.

        Raises:
            Exception: whatever ONNX Runtime raised; every station that waits for the batch gets it.
        """
        loop = asyncio.get_running_loop()
        jobs = [_Job(overlap, overlap.asks(window), loop.create_future()) for window in windows]
        self._waiting += jobs
        if jobs and self._due is None:
            self._due = self._soon()
        try:
            return [await job.answer for job in jobs]
        except BaseException:  # of what still waits nothing is wanted, and the next window asks for all
            overlap.forget()
            for job in jobs:
                job.answer.cancel()
            raise

    def _soon(self) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        waiting = [job for job in self._waiting if not job.answer.done()]
        batch, self._waiting = waiting[:MAX_BATCH], waiting[MAX_BATCH:]
        if batch:
            self._answer(batch)
        # After the stations that are told of a failure, and give up what else they wait for.
        self._due = self._soon() if self._waiting else None

    def _answer(self, batch: list[_Job]) -> None:
        """Run the model, and give each job what is said of its window."""
        self.stages.start()
        try:
            probabilities = self._model.classify(self._features(batch))
        except Exception as error:  # noqa: BLE001 - told to each station that waits: none may wait for ever
            for job in batch:
                job.answer.set_exception(error)
            return
        self.stages.lap("model")
        self.windows += len(batch)
        for row, job in zip(probabilities, batch, strict=True):
            job.answer.set_result(row)

    def _features(self, batch: list[_Job]) -> NDArray[np.float32]:
        """Send a batch through the stages; give what each of its windows is judged by."""
        stages = self._model.stages
        if not stages:
            return np.stack([job.frames for job in batch])
        groups, places = _grouped(batch, self._group)
        given = [np.stack(frames) for frames in groups]
        for number, stage in enumerate(stages):
            made = [stage.run(group) for group in given]
            if number + 1 < len(stages):
                given = [np.empty((*group.shape[:2], _room(stage, group)), np.float32) for group in made]
                rows = [given[at][row] for at, row in places]
            else:  # all in one, for the head
                features = np.empty((len(batch), made[0].shape[1], stage.steps), np.float32)
                rows = list(features)
            for job, (at, row), into in zip(batch, places, rows, strict=True):
                job.overlap.extend(number, made[at][row], into)
        return features


def _grouped(batch: list[_Job], most: int) -> tuple[list[list[Frames]], list[tuple[int, int]]]:
    """Put jobs of as many frames together; give the groups, and each job's group and row in it."""
    groups: list[list[Frames]] = []
    places = []
    latest: dict[int, int] = {}  # number of frames -> of the group that was begun last
    for job in batch:
        frames = len(job.frames)
        at = latest.get(frames)
        if at is None or len(groups[at]) == most:
            at = latest[frames] = len(groups)
            groups.append([])
        places.append((at, len(groups[at])))
        groups[at].append(job.frames)
    return groups, places


def _room(stage: Stage, made: NDArray[np.float32]) -> int:
    """Give how many steps come next: those that were made, and those before them that must be seen again."""
    steps: int = made.shape[2]
    return steps if steps == stage.steps else stage.kept + steps
