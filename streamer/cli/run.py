"""`genrecast run`: the daemon."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from streamer import log
from streamer.cli import options
from streamer.cli.ending import end_at_once_if_asked, leave
from streamer.config import Config, Provider, StationConfig, with_station
from streamer.errors import ConfigError, GenrecastError

if TYPE_CHECKING:
    from streamer.engine.daemon import Daemon
    from streamer.engine.reload import Reloaded
    from streamer.engine.wire import Failure


@click.command("run")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file with [[station]]s.")
@click.option("--source", help="What to listen to: soundcard:, http(s)://, a file, stdin:.  [soundcard:]")
@click.option("--station", help="Id of the station, in topics.  [live]")
@click.option("--model", help="`accurate`, or a genrecast model file.  [default]")
@options.bind
@options.open_to_network
@click.option("--hop", type=float, help="Seconds from one window to the next.  [1.0]")
@click.option("--duty", type=float, help="Share of the audio that is decoded.  [1.0]")
@click.option("--workers", type=int, help="Processes that listen.  [as many as pay]")
@click.option("--provider", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the model runs.  [auto]")
@options.quiet
@options.log_format
def command(
    config_path: Path | None,
    source: str | None,
    station: str | None,
    model: str | None,
    bind: str | None,
    open_to_network: bool | None,
    hop: float | None,
    duty: float | None,
    workers: int | None,
    provider: Provider | None,
    quiet: bool,
    log_format: log.Format | None,
) -> None:
    """Listen to stations and publish what they play, until asked to end (Ctrl-C, SIGTERM).

    With neither --config nor --source it listens to the default sound card.
    """
    from streamer.check.load import check_config, load_config

    end_at_once_if_asked()
    log.setup(logging.WARNING if quiet else logging.INFO, log_format)
    if config_path and (source is not None or station is not None):
        raise ConfigError(
            "--config names the stations, and --source or --station is given too", remedy="give one of them"
        )
    overrides = {
        "model": model,
        "bind": bind,
        "open_to_network": open_to_network,
        "hop": hop,
        "duty": duty,
        "workers": workers,
        "provider": provider,
    }
    given = {key: value for key, value in overrides.items() if value is not None}

    def read() -> Config:
        config = with_station(load_config(config_path)) if config_path else _one(source, station)
        if config_path and not given:
            return config  # which has been checked
        return check_config(msgspec.structs.replace(config, **given), name="command line")

    run(read, config_path)


def run(read: Callable[[], Config], path: Path | None) -> None:
    """Run the daemon; exit with the status of what ended it.

    Args:
        read: reads and checks the configuration, now and whenever it is read again.
        path: of its file, if there is one.
    """
    # Imported here: a wrong command line is told before anything heavy is loaded.
    from streamer.engine.launch import Launch, shares
    from streamer.engine.notify import Notifier

    config, notifier = read(), Notifier()
    # Before all else: they have the most to load, and do it beside us.
    launches = [(share, Launch(share)) for share in shares(config)]
    from streamer.engine.daemon import Daemon
    from streamer.engine.wire import as_error

    try:
        daemon = Daemon(config, launches, notifier=notifier, read=read if path else None)
        # Not asyncio.run: at its end it waits for threads, and one may hang in a name server or on a disk.
        until_asked = _until_asked(daemon, path.resolve() if path else None)
        ends = [as_error(end) for end in asyncio.new_event_loop().run_until_complete(until_asked)]
    except GenrecastError as error:
        ends = [error]
    leave(ends)


async def _until_asked(daemon: "Daemon", path: Path | None) -> "list[Failure]":
    from streamer.engine.control import Control, Hello

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[Reloaded]] = set()
    had_terminal = _has_terminal()

    def hang_up() -> None:
        if had_terminal and not _has_terminal():  # it was closed, and nobody asks for anything
            asked.set()
            return
        task = loop.create_task(daemon.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    if path is None:
        return await daemon.run(asked)
    async with Control(Hello(os.getpid(), str(path)), daemon.reload):
        return await daemon.run(asked)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _one(source: str | None, station: str | None) -> Config:
    return Config(
        station=(
            StationConfig(
                id="live" if station is None else station, source="soundcard:" if source is None else source
            ),
        )
    )
