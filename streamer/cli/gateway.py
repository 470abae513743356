"""`genrecast gateway`: one socket for the subscribers of many daemons."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from streamer import log
from streamer.cli import options
from streamer.cli.ending import end_at_once_if_asked, leave
from streamer.config import Config
from streamer.errors import GenrecastError
from streamer.sections import GatewayConfig

if TYPE_CHECKING:
    from streamer.gateway.gateway import Gateway


@click.command("gateway")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file with a [gateway].")
@options.bind
@click.option("--accept", help="Where daemons come in, by their `gateways`.  [tcp://127.0.0.1:5568]")
@click.option("--from", "from_", multiple=True, help="Where a daemon publishes that is to be heard, too.")
@options.open_to_network
@options.quiet
@options.log_format
def command(
    config_path: Path | None,
    bind: str | None,
    accept: str | None,
    from_: tuple[str, ...],
    open_to_network: bool | None,
    quiet: bool,
    log_format: log.Format | None,
) -> None:
    """Join many daemons behind one socket, until asked to end (Ctrl-C, SIGTERM).

    Subscribers see there what one daemon with all stations would tell. With --config, what
    subscribes beside the daemon ([page], [history], ...) runs beside the gateway.
    """
    from streamer.check.load import check_config, load_config

    end_at_once_if_asked()
    log.setup(logging.WARNING if quiet else logging.INFO, log_format)
    config = load_config(config_path) if config_path else Config()
    section = config.gateway or GatewayConfig()
    section = msgspec.structs.replace(
        section, accept=section.accept if accept is None else accept, from_=from_ or section.from_
    )
    given = {"bind": bind, "open_to_network": open_to_network}
    given = {key: value for key, value in given.items() if value is not None}
    run(check_config(msgspec.structs.replace(config, gateway=section, **given), name="command line"))


def run(config: Config) -> None:
    """Run the gateway; exit with the status of what ended it."""
    from streamer.engine.notify import Notifier
    from streamer.gateway.gateway import Gateway

    ends = []
    try:
        asyncio.new_event_loop().run_until_complete(_until_asked(Gateway(config, notifier=Notifier())))
    except GenrecastError as error:
        ends.append(error)
    leave(ends)


async def _until_asked(gateway: "Gateway") -> None:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await gateway.run(asked)
