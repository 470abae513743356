"""The MP3 is one: a decoder gives back the sound, at its length."""

import io

import av
import numpy as np
import pytest

from streamer.demo.encode import BITRATE, encode_mp3
from streamer.demo.synth import RATE, oscillate, wave


def tone(seconds: float) -> np.ndarray:
    sound = 0.5 * oscillate(wave(np.ones(1)), 440.0, seconds)
    return np.column_stack((sound, sound))


def decode(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data), format="mp3") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def test_decodes_to_the_sound_at_its_length() -> None:
    data = b"".join(packet.data for packet in encode_mp3(tone(3.0)))

    decoded = decode(data)

    assert 3.0 <= decoded.shape[1] / RATE < 3.15  # whole frames, and the encoder's delay
    middle = decoded[0, RATE : 2 * RATE]
    assert int(np.abs(np.fft.rfft(middle)).argmax()) == 440
    assert np.abs(middle).max() > 0.45


def test_has_the_bitrate_that_it_is_served_at() -> None:
    packets = encode_mp3(tone(10.0))

    kilobits = sum(len(packet.data) for packet in packets) * 8 / 10.0 / 1000
    assert kilobits == pytest.approx(BITRATE / 1000, rel=0.02)


def test_frames_are_dated_one_after_the_other() -> None:
    starts = np.array([packet.start_s for packet in encode_mp3(tone(2.0))])

    assert -0.1 < starts[0] <= 0.0
    np.testing.assert_allclose(np.diff(starts), 1152 / RATE, atol=1e-9)
