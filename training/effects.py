"""What happens to sound on its way to a listener: level, equalisers, codecs, speed, other sound over it.

Every effect takes and gives (n,) float32 mono samples in -1..1; lengths may change by a codec's
delay or a tempo. Codecs, speed and filters are FFmpeg's, through PyAV.
"""

import math
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler

from streamer.flow import Samples

CODECS = {
    "mp3": ("libmp3lame", 44_100, "fltp"),
    "aac": ("aac", 44_100, "fltp"),
    "opus": ("libopus", 48_000, "flt"),
}
"""Name -> FFmpeg's encoder, and the rate and sample format that radio has with it."""
CHUNK = 4096
LOUDEST_INT16 = 32767.0


def gain(samples: Samples, db: float) -> Samples:
    """Change the level as a chain of 16 bits does: clipped at full scale, rounded to its steps."""
    loud = np.clip(samples * np.float32(10.0 ** (db / 20.0)), -1.0, 1.0)
    return np.round(loud * np.float32(LOUDEST_INT16)) / np.float32(LOUDEST_INT16)


def low_pass(samples: Samples, rate: int, hz: float) -> Samples:
    """Take away what lies above a frequency, about 48 dB an octave."""
    return _filtered(samples, rate, ",".join([f"lowpass=f={hz:g}:p=2"] * 4))


def equalise(samples: Samples, rate: int, bands: list[tuple[float, float, float]]) -> Samples:
    """Raise or lower bands of (centre in Hz, width in octaves, gain in dB)."""
    return _filtered(samples, rate, ",".join(f"equalizer=f={f:g}:t=o:w={w:g}:g={g:g}" for f, w, g in bands))


def compress(samples: Samples, rate: int, ratio: float) -> Samples:
    """Level loud and quiet as a station's processing does; the ratio is above -24 dB of full scale."""
    return _filtered(
        samples, rate, f"acompressor=threshold=-24dB:ratio={ratio:g}:attack=5:release=120:makeup=1"
    )


def tempo(samples: Samples, rate: int, factor: float) -> Samples:
    """Play faster (`factor` > 1) at the same pitch."""
    return _filtered(samples, rate, f"atempo={factor:.6f}")


def pitch(samples: Samples, rate: int, semitones: float) -> Samples:
    """Shift the pitch at the same tempo."""
    factor = 2.0 ** (semitones / 12.0)
    return _filtered(
        samples, rate, f"asetrate={round(rate * factor)},aresample={rate},atempo={1.0 / factor:.6f}"
    )


def mix(samples: Samples, other: Samples, snr_db: float) -> Samples:
    """Lay other sound over it, repeated to its length; `snr_db` is how much louder the first is.

    The sum is turned down where it would clip.
    """
    over = np.resize(other, len(samples))
    ratio = _rms(samples) / max(_rms(over), 1e-9) * 10.0 ** (-snr_db / 20.0)
    both = samples + over * np.float32(ratio)
    peak = float(np.abs(both).max(initial=0.0))
    return (both / np.float32(peak) if peak > 1.0 else both).astype(np.float32)


def noise(n: int, colour: str, random: np.random.Generator) -> Samples:
    """Give (n,) samples of white or pink noise, RMS 0.1."""
    white = random.standard_normal(n)
    if colour == "pink":
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0)), n)
    return (0.1 * white / max(float(np.sqrt(np.mean(white**2))), 1e-9)).astype(np.float32)


def codec(samples: Samples, rate: int, name: str, kbps: int) -> Samples:
    """Encode as stereo (both channels alike, as radio sends a mono record) and decode again, at `rate`."""
    encoder_name, codec_rate, sample_format = CODECS[name]
    encoder = av.CodecContext.create(encoder_name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = codec_rate, "stereo", sample_format
    encoder.bit_rate, encoder.time_base = kbps * 1000, Fraction(1, codec_rate)
    encoder.open()
    into = AudioResampler(sample_format, "stereo", codec_rate, encoder.frame_size)
    packets = [
        packet
        for frame in _frames(samples, rate)
        for part in into.resample(frame)
        for packet in encoder.encode(part)
    ]
    for part in into.resample(None):
        packets += encoder.encode(part)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create(name, "r")
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    back = AudioResampler("flt", "mono", rate)
    out = [part for packet in packets for frame in decoder.decode(packet) for part in back.resample(frame)]
    out += [part for frame in decoder.decode(None) for part in back.resample(frame)]
    return _joined([*out, *back.resample(None)])


def _filtered(samples: Samples, rate: int, filters: str) -> Samples:
    """Send samples through a chain of FFmpeg's filters."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=rate, layout="mono", time_base=Fraction(1, rate))
    last = source
    for text in filters.split(","):
        kind, _, options = text.partition("=")
        link = graph.add(kind, options)
        last.link_to(link)
        last = link
    sink = graph.add("abuffersink")
    last.link_to(sink)
    graph.configure()
    out = []
    for frame in [*_frames(samples, rate), None]:
        source.push(frame)
        out += _pull(sink)
    return _joined(out)


def _pull(sink: av.filter.context.FilterContext) -> list[av.AudioFrame]:
    out = []
    while True:
        try:
            out.append(sink.pull())
        except (av.BlockingIOError, av.EOFError):
            return out


def _frames(samples: Samples, rate: int) -> list[av.AudioFrame]:
    frames = []
    for start in range(0, len(samples), CHUNK):
        part = np.ascontiguousarray(samples[start : start + CHUNK], np.float32)
        frame = av.AudioFrame.from_ndarray(part[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frames.append(frame)
    return frames


def _joined(frames: list[av.AudioFrame]) -> Samples:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    joined: Samples = np.concatenate(parts).astype(np.float32) if parts else np.empty(0, np.float32)
    return joined


def _rms(samples: Samples) -> float:
    return math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
