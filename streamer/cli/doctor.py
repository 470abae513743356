"""`genrecast doctor`: what works here, and what to do about what doesn't."""

import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from streamer import __version__
from streamer.config import DEFAULT_ENDPOINT
from streamer.errors import GenrecastError

CODECS = ("mp3", "aac", "opus", "vorbis", "flac")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: was looked at.
        works: None where it is merely missing and may stay so.
        detail: what was found.
        remedy: what to do where it doesn't work.
    """

    what: str
    works: bool | None
    detail: str
    remedy: str = ""


@click.command("doctor")
@click.option("--model", "model_path", help="`accurate`, or a model file.  [default]")
def command(model_path: str | None) -> None:
    """Say what works here, and what to do about what doesn't.

    Ends with status 1 where something that every use needs is broken; a missing sound
    card or GPU is told and is no failure.
    """
    failed = False
    for finding in findings(model_path):
        mark, colour = {True: ("ok", "green"), None: ("--", "yellow"), False: ("NO", "red")}[finding.works]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.what:<11}{finding.detail}")
        if finding.remedy and not finding.works:
            click.echo(f"    try: {finding.remedy}")
        failed |= finding.works is False
    sys.exit(1 if failed else 0)


def findings(model_path: str | None) -> Iterator[Finding]:
    """Look at one thing after the other."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield Finding("genrecast", True, f"{__version__} on {system}")
    yield _model(model_path)
    yield _providers()
    yield _codecs()
    yield _sound()
    yield _endpoint()


def _model(path: str | None) -> Finding:
    from streamer.model.session import Model

    try:
        started = time.perf_counter()
        model = Model.load(path, provider="cpu")
        loaded_ms = (time.perf_counter() - started) * 1e3
        contract, front = model.contract, model.contract.front_end
        import numpy as np

        frames = np.zeros((1, front.n_frames, front.n_mels), np.float32)
        started = time.perf_counter()
        for _ in range(20):
            model.infer(frames)
        window_ms = (time.perf_counter() - started) * 50.0
    except GenrecastError as error:
        return Finding("model", False, error.message, error.remedy)
    accuracy = contract.accuracy
    return Finding(
        "model",
        True,
        f"{contract.name}: {len(contract.genres)} genres, accuracy {accuracy.value:.0%} "
        f"({accuracy.low:.0%} to {accuracy.high:.0%}), probe passed; "
        f"loaded in {loaded_ms:.0f} ms, {window_ms:.2f} ms a window",
    )


def _providers() -> Finding:
    import onnxruntime as ort

    found = [name.removesuffix("ExecutionProvider").lower() for name in ort.get_available_providers()]
    cuda = "cuda" in found
    detail = f"onnxruntime {ort.__version__}: {', '.join(found)}"
    return Finding("providers", True if cuda else None, detail, "for a GPU: pip install onnxruntime-gpu")


def _codecs() -> Finding:
    import av

    missing = [codec for codec in CODECS if codec not in av.codecs_available]
    detail = f"PyAV {av.__version__}: {', '.join(codec for codec in CODECS if codec not in missing)}"
    if missing:
        return Finding("codecs", False, f"{detail}; missing {', '.join(missing)}", "pip install --force av")
    return Finding("codecs", True, detail)


def _sound() -> Finding:
    from streamer.source.soundcard import list_devices

    try:
        devices = list_devices()
    except GenrecastError as error:
        return Finding("sound card", None, error.message, error.remedy)
    if not devices:
        remedy = "plug one in or start the sound server; radio, files and stdin: work without"
        return Finding("sound card", None, "no device to record from", remedy)
    default = next((device.name for device in devices if device.default), devices[0].name)
    return Finding("sound card", True, f"{len(devices)} device(s), default '{default}'")


def _endpoint() -> Finding:
    from streamer.publish.bus import Bus

    try:
        Bus(DEFAULT_ENDPOINT).close()
    except GenrecastError as error:
        return Finding("endpoint", None, error.message, "a daemon runs already, or use --bind")
    return Finding("endpoint", True, f"{DEFAULT_ENDPOINT} is free")
