"""`genrecast devices`: the sound cards that can be listened to."""

import click

from streamer.text import json_line, printable


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(as_json: bool) -> None:
    """List the sound cards that can be listened to; use an index or a name in soundcard:NAME."""
    from dataclasses import asdict

    from streamer.source.soundcard import list_devices

    devices = list_devices()
    for device in devices:
        if as_json:
            click.echo(json_line(asdict(device)))
        else:
            mark = "*" if device.default else " "
            click.echo(
                f"{mark} {device.index:>3}  {printable(device.name):<40} {device.channels} ch  "
                f"{device.rate:.0f} Hz  {device.host_api}"
            )
    if not devices and not as_json:
        click.echo("no device to record from; 'genrecast doctor' says what to do", err=True)
