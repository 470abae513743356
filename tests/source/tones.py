"""Tones for tests: encoded by PyAV here, so that every expectation is computed."""

import functools
import io
from fractions import Fraction

import av
import numpy as np

from streamer.flow import Block, Format, SourceEvent, Title

CODECS = {  # encoder, container
    "mp3": ("libmp3lame", "mp3"),
    "aac": ("aac", "adts"),
    "opus": ("libopus", "ogg"),
    "vorbis": ("vorbis", "ogg"),
    "flac": ("flac", "ogg"),
    "wav": ("pcm_s16le", "wav"),
    "m4a": ("aac", "mp4"),
}


@functools.cache
def encode(
    codec: str,
    *,
    rate: int = 48_000,
    channels: int = 2,
    seconds: float = 1.5,
    hz: float = 440.0,
    level: float = 0.5,
    title: str = "",
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Encode a sine; `options` are the encoder's."""
    encoder, container_format = CODECS[codec]
    time = np.arange(round(rate * seconds)) / rate
    mono = (level * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        if title:
            container.metadata["title"] = title
        layout = {1: "mono", 2: "stereo"}[channels]
        settings = {"strict": "experimental", **dict(options)}
        stream = container.add_stream(encoder, rate=rate, layout=layout, options=settings)
        context = stream.codec_context
        context.open()
        size = context.frame_size or 1024
        wanted = context.format.name
        for at in range(0, len(mono), size):
            part = np.repeat(mono[None, at : at + size], channels, axis=0)
            if wanted.startswith("s16"):
                part = np.round(part * 32767).astype(np.int16)
            elif wanted.startswith("s32"):
                part = np.round(part * 2147480000.0).astype(np.int32)
            if not wanted.endswith("p"):
                part = part.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format=wanted, layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux([packet for packet in stream.encode(None) if packet.size])
    return file.getvalue()


def samples_of(events: list[SourceEvent]) -> np.ndarray:
    """Join the blocks of events."""
    blocks = [event.samples for event in events if isinstance(event, Block)]
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def formats_of(events: list[SourceEvent]) -> list[Format]:
    return [event for event in events if isinstance(event, Format)]


def titles_of(events: list[SourceEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Title)]


def pitch_hz(samples: np.ndarray, rate: int) -> float:
    """The loudest frequency of mono samples."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=8 * len(samples)))
    return float(np.argmax(spectrum) * rate / (8 * len(samples)))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at += len(pieces[-1])
        turn += 1
    return pieces
