"""`genrecast install`: the systemd unit."""

import shutil
import sys
from pathlib import Path

import click

from streamer.config import with_station
from streamer.errors import ServiceError
from streamer.unit import HEADER, NAME, SYSTEM, USER, unit


@click.command("install")
@click.option("--user", is_flag=True, help="For your own service manager, with the sound of your session.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The configuration.  [/etc/genrecast.toml; with --user ~/.config/genrecast.toml]",
)
@click.option("--print", "only_print", is_flag=True, help="Print the unit, and write nothing.")
def command(user: bool, path: Path | None, only_print: bool) -> None:
    """Write a systemd unit that runs the daemon as a service, and say what to run next.

    The configuration is checked first. The service may do what its stations need and no more: without a
    sound card among them it sees no device at all.
    """
    from streamer.check.load import load_config  # with all that decodes: --help must be quick

    path = path or Path("~/.config/genrecast.toml" if user else "/etc/genrecast.toml").expanduser()
    config = with_station(load_config(path))
    text = unit(config, path, _program(), user=user)
    if only_print:
        click.echo(text, nl=False)
        return
    target = (USER if user else SYSTEM).expanduser() / NAME
    _write(target, text)
    flag = " --user" if user else ""
    click.echo(f"written: {target}\nnext:")
    click.echo(f"  systemctl{flag} daemon-reload && systemctl{flag} enable --now genrecast")
    if user:
        click.echo("  loginctl enable-linger        # so that it runs while you are not logged in")
    click.echo(f"  journalctl{flag} -u genrecast -f")


def _program() -> list[str]:
    """Give the command line that is `genrecast`, as it is installed here."""
    script = shutil.which("genrecast", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "streamer.cli"]


def _write(target: Path, text: str) -> None:
    try:
        if target.exists() and not target.read_text(encoding="utf-8").startswith(HEADER):
            raise ServiceError(
                f"{target} is there already, and not by 'genrecast install'",
                remedy="move it away; or see what it could say with --print",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(
            f"can't write {target}: {getattr(error, 'strerror', None) or error}",
            remedy="run it as root (sudo), or with --user for yourself",
        ) from error
