"""The decoder alone: CPU ms for a second of what stations play, parsed and decoded frame by frame by PyAV.

It runs in a process of its own while nothing else of the benchmark does. Nothing is done with
the frames: nobody can be cheaper who hears all of it through the same decoder.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
from av.audio.codeccontext import AudioCodecContext

from bench.content import KINDS, Content, load

Packet: TypeAlias = "av.Packet[Any]"

DECODERS = {"mp3": "mp3float", "adts": "aac", "ogg": "opus"}  # by muxer: FFmpeg's, as the daemon has them
PAGE_HEADER, CONTINUED = 27, 255  # bytes before a page's lacing; a length that says that more follows
TURNS = 3
TURN_S = 120.0  # of audio
READ_S = 1.0  # of audio handed to the parser at a time, as the daemon does at a 1 s hop


def measure_floor(folder: Path, kinds: list[str]) -> list[float]:
    """Give `TURNS` figures: ms of CPU for a second of audio, the mean of stations of these kinds."""
    command = [sys.executable, "-m", "bench.floor", str(folder), *sorted(set(kinds))]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True
    )
    turns: dict[str, list[float]] = json.loads(done.stdout)
    return [statistics.mean(turns[kind][turn] for kind in kinds) for turn in range(TURNS)]


def decode_ms(content: Content, seconds: float) -> float:
    """Decode so much of a stream; give the ms of CPU for a second of its audio."""
    chunks = list(_chunks(content, seconds))
    kind = KINDS[content.kind]
    decoder = cast(AudioCodecContext, av.CodecContext.create(DECODERS[kind.muxer], "r"))
    decoder.thread_count = 1
    cut: list[bytes] = []
    if kind.muxer == "ogg":  # cut before the clock runs: it is no work of a decoder's
        cut = ogg_packets(b"".join(chunks))
        decoder.extradata = cut[0]
    samples, began = 0, time.process_time()
    for packet in map(av.Packet, cut[2:]) if cut else _packets(decoder, chunks):
        for frame in decoder.decode(packet):
            samples += frame.samples
    return (time.process_time() - began) * 1e3 / (samples / kind.rate)


def _chunks(content: Content, seconds: float) -> Iterator[bytes]:
    """Give a second of audio at a time."""
    first, end = 0, content.aired(seconds)
    while first < end:
        until = content.aired(content.second(first) + READ_S)
        yield b"".join(content.parts(first, until))
        first = until


def _packets(decoder: AudioCodecContext, chunks: list[bytes]) -> Iterator[Packet]:
    for chunk in chunks:
        yield from decoder.parse(chunk)


def ogg_packets(data: bytes) -> list[bytes]:
    """Cut one logical stream of Ogg into its packets, the headers of another round left out."""
    packets, partial, at = [], b"", 0
    while at < len(data):
        lacing = data[at + PAGE_HEADER : at + PAGE_HEADER + data[at + PAGE_HEADER - 1]]
        at += PAGE_HEADER + len(lacing)
        for length in lacing:
            partial += data[at : at + length]
            at += length
            if length < CONTINUED:
                packets.append(partial)
                partial = b""
    return packets[:2] + [
        packet for packet in packets[2:] if not packet.startswith((b"OpusHead", b"OpusTags"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("folder", type=Path, help="as `bench.content` made it")
    parser.add_argument("kinds", nargs="+", choices=sorted(KINDS))
    options = parser.parse_args()
    contents = {kind: load(options.folder, kind) for kind in options.kinds}
    for content in contents.values():
        decode_ms(content, TURN_S / 10)  # caches, pages
    turns = {kind: [decode_ms(content, TURN_S) for _ in range(TURNS)] for kind, content in contents.items()}
    print(json.dumps(turns))


if __name__ == "__main__":
    main()
