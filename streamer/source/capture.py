"""The child that listens to the sound card: PortAudio here, framed samples on standard output.

It is run by its path, apart from the daemon, because PortAudio and ALSA may hang or abort
when a sound server dies; the parent then kills this process and goes on. It imports
nothing of ours, so that it starts quickly.
The first line on standard output is JSON: what was opened, or what went wrong. After it
come chunks: a header (`CHUNK`: sample frames lost before it, bytes in it), then
interleaved float32. Standard input is a life line: it ends when the parent dies.
"""

import argparse
import json
import os
import queue
import struct
import sys
import threading
import time
from typing import Any

CHUNK = struct.Struct("<II")
START_S = 8.0  # to the first callback: PulseAudio takes 2 s where nothing else records
SILENT_S = 1.5  # between callbacks: the sound server is gone. PortAudio itself does not say so
QUEUE_CHUNKS = 64  # a few seconds; a parent that waits longer loses audio and is told so
MAX_DEVICE_CHANNELS = 8  # a plugin such as ALSA's `pulse` offers 32 or more, none of them real: then stereo


def main() -> None:
    """Capture until the parent goes away, or list devices (`--list`)."""
    parser = argparse.ArgumentParser(prog="streamer.source.capture")
    parser.add_argument("--device", default="")
    parser.add_argument("--rate", type=int)
    parser.add_argument("--channel", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if not options.list:
        threading.Thread(target=_exit_with_parent, daemon=True).start()
    out = sys.stdout.fileno()
    try:
        import sounddevice
    except (ImportError, OSError):  # OSError: the PortAudio library is missing
        _say(out, error="PortAudio is not installed", remedy="install it: apt-get install libportaudio2")
        os._exit(1)
    try:
        if options.list:
            _say(out, devices=_devices(sounddevice))
        else:
            _capture(sounddevice, options, out)
    except (sounddevice.PortAudioError, ValueError) as error:
        _say(out, error=_first_line(error))
        os._exit(1)
    os._exit(0)  # PortAudio's own clean-up is what hangs


def _capture(sd: Any, options: argparse.Namespace, out: int) -> None:
    device: str | int | None = options.device or None
    if isinstance(device, str) and device.isdecimal():
        device = int(device)
    info = sd.query_devices(device, "input")
    channels = info["max_input_channels"]
    if channels > MAX_DEVICE_CHANNELS:
        channels = max(2, min(options.channel, channels))
    if options.channel > channels:
        raise ValueError(f"channel {options.channel} where '{info['name']}' has {channels}")
    rate = options.rate or int(info["default_samplerate"])
    chunks: queue.Queue[tuple[int, bytes]] = queue.Queue(QUEUE_CHUNKS)
    lost = 0

    def callback(data: Any, frames: int, _when: Any, status: Any) -> None:
        nonlocal lost
        if status.input_overflow:
            lost += frames  # PortAudio does not say how much: at least one buffer
        try:
            chunks.put_nowait((lost, bytes(data)))
            lost = 0
        except queue.Full:
            lost += frames

    stream = sd.RawInputStream(
        device=device,
        samplerate=rate,
        channels=channels,
        dtype="float32",
        blocksize=rate // 20,  # 50 ms: little to wait for, little to do
        callback=callback,
    )
    stream.start()
    _say(out, rate=rate, channels=channels, device=info["name"])
    deadline = time.monotonic() + START_S
    while True:
        try:
            lost_before, data = chunks.get(timeout=0.25)
        except queue.Empty:
            if time.monotonic() > deadline or not stream.active:
                os._exit(2)
            continue
        deadline = time.monotonic() + SILENT_S
        _write(out, CHUNK.pack(lost_before, len(data)) + data)


def _devices(sd: Any) -> list[dict[str, Any]]:
    """Every device that records."""
    apis = sd.query_hostapis()
    default = sd.default.device[0]
    return [
        {
            "index": index,
            "name": info["name"],
            "host_api": apis[info["hostapi"]]["name"],
            "channels": info["max_input_channels"],
            "rate": int(info["default_samplerate"]),
            "default": index == default,
        }
        for index, info in enumerate(sd.query_devices())
        if info["max_input_channels"] > 0
    ]


def _exit_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _say(out: int, **what: Any) -> None:
    _write(out, json.dumps(what).encode() + b"\n")


def _write(out: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(out, view) :]
    except OSError:  # the parent has gone
        os._exit(0)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


if __name__ == "__main__":
    main()
