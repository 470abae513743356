"""Curves of a run for TensorBoard, while it goes: `tensorboard --logdir RUN`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from training.checkpoint import Point


@contextmanager
def board(run: Path, step: int) -> Iterator[Callable[[Point], None]]:
    """Open the run's event file; what it holds from `step` on is of a run that was interrupted, and void."""
    with SummaryWriter(str(run / "tensorboard"), purge_step=step) as writer:

        def write(point: Point) -> None:
            for name in ("rate", "loss", "accuracy", "held_out_nll", "held_out_accuracy"):
                value = getattr(point, name)
                if value is not None:
                    writer.add_scalar(name, value, point.step)

        yield write
