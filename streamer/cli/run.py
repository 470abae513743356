"""`genrecast run`: the daemon."""

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from streamer.cli.main import tell
from streamer.config import Config, Provider, StationConfig, check_config, load_config
from streamer.errors import ConfigError, SourceError, SourceUriError

if TYPE_CHECKING:
    from streamer.engine.daemon import Daemon


@click.command("run")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file with [[station]]s.")
@click.option("--source", help="What to listen to: soundcard:, http(s)://, a file, stdin:.  [soundcard:]")
@click.option("--station", help="Id of the station, in topics.  [live]")
@click.option("--model", help="`accurate`, or a genrecast model file.  [default]")
@click.option("--bind", help="ZeroMQ endpoint to publish on.  [tcp://127.0.0.1:5567]")
@click.option(
    "--open-to-network", is_flag=True, default=None, help="Allow --bind to be reached from outside."
)
@click.option("--hop", type=float, help="Seconds from one window to the next.  [1.0]")
@click.option("--provider", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the model runs.  [auto]")
@click.option("--quiet", is_flag=True, help="Log warnings only.")
def command(
    config_path: Path | None,
    source: str | None,
    station: str | None,
    model: str | None,
    bind: str | None,
    open_to_network: bool | None,
    hop: float | None,
    provider: Provider | None,
    quiet: bool,
) -> None:
    """Listen to stations and publish what they play, until asked to end (Ctrl-C, SIGTERM).

    With neither --config nor --source it listens to the default sound card.
    """
    # Until the loop is there to take them, a wish to end is met at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(message)s", stream=sys.stderr
    )
    if config_path and (source is not None or station is not None):
        raise ConfigError(
            "--config names the stations, and --source or --station is given too", remedy="give one of them"
        )
    config = load_config(config_path) if config_path else _one(source, station)
    given = {
        "model": model,
        "bind": bind,
        "open_to_network": open_to_network,
        "hop": hop,
        "provider": provider,
    }
    config = msgspec.structs.replace(config, **{key: v for key, v in given.items() if v is not None})
    run(check_config(config, name=str(config_path or "command line")))


def run(config: Config) -> None:
    """Run the daemon; exit with the status of what ended it."""
    # Imported here: a wrong command line is told before anything heavy is loaded.
    from streamer.engine.daemon import Daemon
    from streamer.model.session import Model
    from streamer.source.open import check_uri

    for station in config.station:
        try:
            check_uri(station.source)
        except SourceUriError as error:
            raise SourceUriError(f"station '{station.id}': {error.message}", remedy=error.remedy) from None
    model = Model.load(config.model, provider=config.provider)
    # Not asyncio.run: at its end it waits for threads, and one may hang in a name server or on a disk.
    ends = asyncio.new_event_loop().run_until_complete(_until_asked(Daemon(config, model)))
    if ends:
        tell(ends[0])
    logging.shutdown()
    sys.stdout.flush()
    os._exit(ends[0].exit_status if ends else 0)


async def _until_asked(daemon: "Daemon") -> list[SourceError]:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    # What was made while starting stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    logging.getLogger("genrecast").info(
        "ready: %d station(s), model %s on %s, %s",
        len(daemon.stations),
        daemon.model.contract.name,
        daemon.model.provider,
        daemon.bus.endpoint,
    )
    return await daemon.run(asked)


def _one(source: str | None, station: str | None) -> Config:
    return Config(
        station=(
            StationConfig(
                id="live" if station is None else station, source="soundcard:" if source is None else source
            ),
        )
    )
