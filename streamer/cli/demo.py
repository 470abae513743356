"""`genrecast demo`: synthetic radio, the real daemon, the real socket, and what a listener sees."""

import asyncio
import contextlib
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click


@click.command("demo")
@click.option("--model", help="`accurate`, or a genrecast model file.  [default]")
def command(model: str | None) -> None:
    """Tag a minute of synthetic radio live, through everything that real radio goes through.

    The programme is made by our own code and served as an MP3 stream on loopback;
    what is said about it is said by the model.
    """
    try:
        asyncio.run(_demo(["--model", model] if model else []))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo()


async def _demo(options: list[str]) -> None:
    from streamer.demo.serve import DemoRadio

    # However it is ended, the daemon that it started ends too.
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    click.echo("making a minute of radio ...")
    async with DemoRadio() as radio:
        with tempfile.TemporaryDirectory(prefix="genrecast-") as folder:
            endpoint = f"ipc://{Path(folder) / 'demo'}"
            click.echo(f"on air at {radio.url}, titles by ICY, tagged live:\n")
            daemon = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streamer.cli", "run", "--quiet"),
                *("--source", radio.url, "--station", "demo", "--bind", endpoint),
                *options,
                stderr=asyncio.subprocess.PIPE,
            )
            over = threading.Event()
            listening = asyncio.create_task(asyncio.to_thread(_listen, endpoint, over))
            finished = asyncio.create_task(radio.done.wait())
            gone = asyncio.create_task(daemon.wait())
            try:
                await asyncio.wait({finished, gone, listening}, return_when=asyncio.FIRST_COMPLETED)
                # The last track is told when the daemon notes that the stream is over.
                await asyncio.sleep(0.5)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    daemon.terminate()
                _, errors = await daemon.communicate()
                over.set()
                await listening
                finished.cancel()
    if daemon.returncode:
        click.echo(errors, err=True)
        sys.exit(daemon.returncode)
    click.echo("\nthat was it. Now a real one: genrecast run --source URL, and genrecast listen beside it")


def _listen(endpoint: str, over: threading.Event) -> None:
    from streamer.cli.listen import show
    from streamer.publish.subscribe import Subscriber

    subscriber = Subscriber(endpoint)
    try:
        show(_until(subscriber.messages(), over))
    finally:
        subscriber.close()


def _until(
    messages: Iterator[dict[str, Any] | None], over: threading.Event
) -> Iterator[dict[str, Any] | None]:
    for message in messages:
        if message is None and over.is_set():
            return
        yield message
