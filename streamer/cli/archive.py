"""`genrecast classify --out`: an archive into Parquet, with its progress."""

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from streamer import log, on_ray
from streamer.cli.ending import leave
from streamer.errors import ArchiveError, ClusterError, MissingExtraError

if TYPE_CHECKING:
    from streamer.archive.plan import Tags
    from streamer.archive.tally import Tally
    from streamer.archive.todo import Plan

EVERY_S = 30.0  # a line, where nobody looks at a terminal
INTERRUPTED = 130  # as shells have it for Ctrl-C

say = logging.getLogger(__name__)


def tag(
    patterns: Sequence[str],
    out: str,
    model: str | None,
    *,
    jobs: int | None,
    cluster: bool,
    address: str | None,
    again: bool,
) -> None:
    """Tag what the patterns name; exit with 130 where it was interrupted.

    Raises:
        MissingExtraError: the libraries for archives, or for clusters, are not installed.
        ArchiveError: see `open_plan`, `list_media`; or no file at all could be tagged.
        GenrecastError: what ended the run.
    """
    try:
        from streamer.archive.listing import list_media
        from streamer.archive.place import Place
        from streamer.archive.run import Work, run_here
        from streamer.archive.tally import Tally
        from streamer.archive.todo import open_plan
    except ModuleNotFoundError as error:
        raise MissingExtraError("classify --out", "archive") from error
    if cluster:
        on_ray.load("classify --cluster")
        from streamer.archive.nodes import run_there
    from streamer.engine.process import cores
    from streamer.model.session import read_model

    log.setup(logging.WARNING)
    say.setLevel(logging.INFO)  # and not what stores' libraries tell of keys and requests
    place, (data, name) = Place(out), read_model(model)
    tags = _tags(data, name)
    media = list_media(patterns)
    plan = open_plan(place, media, tags, again=again)
    _tell(plan, place.out)
    if not plan.todo:
        return
    work, tally = Work(place.out, data, name, tags), Tally(plan.todo, time.monotonic())
    if cluster:
        seen = next((each.path for each in media if each.size and b"://" not in each.path), b"")
        dones = run_there(work, plan.todo, jobs, address=address, seen=seen, cut_off=_cut_off)
    else:
        dones = run_here(work, plan.todo, jobs or cores())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.closing(dones), _shown(tally) as show:
            for done in dones:
                tally.add(done)
                show()
    except KeyboardInterrupt:
        click.echo(f"{tally.line(time.monotonic())}; the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    place.sweep()
    click.echo(f"{place.out}: {tally.summary(time.monotonic())}", err=True)
    if tally.errors:
        click.echo(f"why they failed: {place.out}/errors; --again tries them once more", err=True)
    if tally.files and tally.errors == plan.files:
        raise ArchiveError(
            f"none of the {tally.files:,} files could be tagged", remedy=f"{place.out}/errors says why"
        )


def _cut_off(error: ClusterError) -> None:
    """End at once; what waits for Ray would not."""
    from rich.console import Console

    Console(stderr=True).show_cursor()  # which is hidden while the progress is shown
    leave([error])


def _tags(data: bytes, name: str) -> "Tags":
    """Check the model, and give what it makes of an archive."""
    import hashlib

    from streamer.archive.plan import Tags
    from streamer.contract import CONTRACT_VERSION
    from streamer.model.session import Model

    contract = Model(data, name=name, provider="cpu").contract
    return Tags(contract.name, hashlib.sha256(data).hexdigest(), CONTRACT_VERSION, contract.labels)


def _tell(plan: "Plan", out: str) -> None:
    """Say what there is to be done."""
    todo = sum(len(part.tried) for part in plan.todo)
    failed = sum(len(part.failed) for part in plan.todo)
    changed = sum(len(part.changed) for part in plan.todo)
    say.info("%s: %s of %s files are to be tagged", out, f"{todo:,}", f"{plan.files:,}")
    if failed or changed:
        say.info("again: %s that failed, %s that have changed since", f"{failed:,}", f"{changed:,}")
    if plan.changed:
        say.info("changed since they were tagged, which --again tags anew: %s", f"{plan.changed:,}")
    if plan.unnamed:
        say.info(
            "files of its plan that are not named this time, and are tagged too: %s", f"{plan.unnamed:,}"
        )


@contextlib.contextmanager
def _shown(tally: "Tally") -> Iterator[Callable[[], None]]:
    """Give a function that shows how far it is, where people look, else now and then in the log."""
    if not sys.stderr.isatty():
        last = time.monotonic()

        def line() -> None:
            nonlocal last
            if time.monotonic() - last >= EVERY_S:
                last = time.monotonic()
                say.info("%s", tally.line(last))

        yield line
        return
    from rich.console import Console

    with Console(stderr=True).status(tally.line(time.monotonic())) as status:
        yield lambda: status.update(tally.line(time.monotonic()))
