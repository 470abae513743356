"""A run over an archive on a Ray cluster: Ray Data deals the parts, a slot on each core tags them.

What a slot says travels as data, failures too, so that Ray tries again what died and nothing else.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import ray
import ray.data
from ray.exceptions import RayError

from streamer import __version__
from streamer.archive.place import Place
from streamer.archive.plan import Part
from streamer.archive.run import Done, Slot, Work
from streamer.engine.wire import Failure, as_error, failure_of
from streamer.errors import ClusterError, GenrecastError
from streamer.on_ray import connected, reason, watched
from streamer.text import path_text

IN_FLIGHT = 2  # parts a core, one of which waits: with one alone Ray's pool never grows


class NodeSlot:
    """A slot as an actor of Ray.

    Args:
        work: reference to the encoded `Work`, which travels once a node.
        seen: a local file that the driver has listed, b"" where there is none.
        version: of the driver's genrecast.
    """

    def __init__(self, work: "ray.ObjectRef[bytes]", seen: bytes, version: str) -> None:
        self._slot: Slot | None = None
        self._failure: Failure | None = None
        try:
            decoded = msgspec.msgpack.decode(ray.get(work), type=Work)
            _check(decoded, seen, version)
            self._slot = Slot(decoded)
        except GenrecastError as error:
            self._failure = failure_of(error)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Tag parts; give what came of each."""
        return pa.table({"said": [msgspec.msgpack.encode(self._run(row)) for row in batch.to_pylist()]})

    def _run(self, row: dict[str, Any]) -> Done | Failure:
        if self._slot is None:
            assert self._failure is not None
            return self._failure
        try:
            return self._slot.run(msgspec.msgpack.decode(row["part"], type=Part))
        except GenrecastError as error:
            return failure_of(error)


def run_there(
    work: Work,
    parts: Sequence[Part],
    jobs: int | None,
    *,
    address: str | None,
    seen: bytes,
    cut_off: Callable[[ClusterError], None],
) -> Generator[Done, None, None]:
    """Tag parts on a cluster; give each part as it is done.

    Args:
        work: what to do.
        parts: on storage that all nodes see.
        jobs: at most so many at a time; None for all cores of the cluster.
        address: of the cluster; None for `RAY_ADDRESS`, or the one that runs on this machine.
        seen: a local file that has just been listed, b"" where there is none.
        cut_off: see `on_ray.watched`.

    Raises:
        ClusterError: there is no such cluster, or its nodes can't do it.
        GenrecastError: as of `Slot.run`.
    """
    with _connected(address, cut_off):
        most = min(jobs or len(parts), len(parts))
        compute = ray.data.ActorPoolStrategy(
            min_size=1,
            initial_size=min(_cores(), most),
            max_size=most,
            max_tasks_in_flight_per_actor=IN_FLIGHT,
        )
        rows = [{"part": msgspec.msgpack.encode(part)} for part in parts]
        said = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            NodeSlot,
            fn_constructor_args=(ray.put(msgspec.msgpack.encode(work)), seen, __version__),
            batch_size=None,
            batch_format="pyarrow",
            compute=compute,
            num_cpus=1,
        )
        for table in said.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for each in table["said"].to_pylist():
                done = msgspec.msgpack.decode(each, type=Done | Failure)
                if isinstance(done, Failure):
                    raise as_error(done)
                yield done


@contextlib.contextmanager
def _connected(address: str | None, cut_off: Callable[[ClusterError], None]) -> Iterator[None]:
    with connected(address), watched(ray, cut_off):
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            yield
        except RayError as error:
            raise ClusterError(
                f"the cluster failed: {reason(error)}", remedy="the same command goes on from here"
            ) from error


def _cores() -> int:
    return max(int(ray.cluster_resources().get("CPU", 0)), 1)


def _check(work: Work, seen: bytes, version: str) -> None:
    """See that this node can do the work.

    Raises:
        ClusterError: it can't.
    """
    node, place = ray.util.get_node_ip_address(), Place(work.out)
    if version != __version__:
        raise ClusterError(
            f"node {node} has genrecast {__version__}, not {version}", remedy="install the same everywhere"
        )
    if not place.names():
        raise ClusterError(
            f"node {node} does not see {place.out}", remedy="give an --out on storage that all nodes share"
        )
    if seen and not os.path.exists(seen):  # noqa: PTH110
        raise ClusterError(
            f"node {node} does not see {path_text(seen)}",
            remedy="name files on storage that all nodes share, or by URL",
        )
