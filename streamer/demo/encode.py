"""Samples in, MP3 frames with their times out: what a radio server has in hand."""

from dataclasses import dataclass

import av
import numpy as np

from streamer.demo.synth import RATE
from streamer.flow import MultiSamples

BITRATE = 128_000  # bits per second: what most music stations send
CHUNK = 1152  # samples of an MP3 frame


@dataclass(frozen=True, slots=True)
class Packet:
    """One MP3 frame.

    Attributes:
        start_s: when its audio begins, in seconds of the programme; of the first, a little before 0:
            the encoder's delay.
        data: the frame, header included.
    """

    start_s: float
    data: bytes


def encode_mp3(samples: MultiSamples) -> list[Packet]:
    """Encode (n, 2) float32 at `synth.RATE`; frames simply follow one another, without any container."""
    encoder = av.AudioCodecContext.create("libmp3lame", "w")
    encoder.sample_rate = RATE
    encoder.bit_rate = BITRATE
    encoder.format = "fltp"
    encoder.layout = "stereo"
    packets: list[Packet] = []
    planar = np.ascontiguousarray(samples.T)
    for start in range(0, len(samples), CHUNK):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planar[:, start : start + CHUNK]), format="fltp", layout="stereo"
        )
        frame.sample_rate = RATE
        frame.pts = start
        packets += _taken(encoder, frame)
    return packets + _taken(encoder, None)


def _taken(encoder: av.AudioCodecContext, frame: av.AudioFrame | None) -> list[Packet]:
    """Hand a frame to the encoder, None for its end; give what is ready."""
    return [
        Packet(float((packet.pts or 0) * packet.time_base), bytes(packet)) for packet in encoder.encode(frame)
    ]
