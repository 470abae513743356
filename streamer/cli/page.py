"""`genrecast page`: the page, by hand, beside a daemon that runs elsewhere."""

from pathlib import Path

import click
import msgspec

from streamer import sections
from streamer.cli.by_hand import attend_by_hand
from streamer.config import DEFAULT_ENDPOINT, Config
from streamer.errors import ConfigError
from streamer.sections import PageConfig


@click.command("page")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The daemon's TOML file.")
@click.option("--connect", help=f"Where the daemon publishes.  [{DEFAULT_ENDPOINT}]")
@click.option("--bind", help="Where the page is served.  [127.0.0.1:8567]")
def command(config_path: Path | None, connect: str | None, bind: str | None) -> None:
    """Show in a browser what a running daemon says, until Ctrl-C.

    The daemon does so itself where its configuration has a [page].
    """
    from streamer.check.load import load_config

    config = load_config(config_path) if config_path else Config()
    page = config.page or PageConfig()
    page = msgspec.structs.replace(page, bind=page.bind if bind is None else bind)
    if problems := list(sections.rules({"page": page})):
        raise ConfigError.of(problems)
    attend_by_hand("page", msgspec.structs.replace(config, page=page), connect)
