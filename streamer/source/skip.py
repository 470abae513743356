"""Audio that is passed over undecoded: how many packets, and how many before its end warm the decoder up.

Decoders carry something from packet to packet. After a jump the first packets come out wrong, so
the last of those that nobody wants are decoded all the same, and their samples dropped.
"""

import math

ABLE = ("", "mp3", "aac", "opus")  # "": not known yet, and held until it is
MP3_RESERVOIR = 511  # bytes of earlier frames, at most, in which a frame's data may begin (ISO 11172-3)
MP3_SIDE = 36  # bytes of a frame that hold none of it: header and side information of stereo
LEFT_S = 0.3  # of what is taken back at least so much stays: no decoder needs more to warm up
OPUS_WARM_UP_S = 0.24  # RFC 7845 (4.6) asks for 80 ms; three times that, and nothing above -60 dB is left
AAC_FRAME = 1024  # samples; twice as many with SBR, whose envelopes may lean on those before for longer


class Skip:
    """Counts down what is to be passed over, through all decoders that a source has one after the other.

    MP3, AAC and Opus can; packets of Vorbis and FLAC don't say how long they last, and are all decoded.

    Args:
        codec: a key of `DECODERS`; "" while it is not known.
    """

    def __init__(self, codec: str = "") -> None:
        self._codec = codec
        self.left_s = 0.0

    def serve(self, codec: str) -> None:
        """Take note of what comes from here; a codec that can't skip gives up what was asked for."""
        self._codec = codec
        if codec not in ABLE:
            self.left_s = 0.0

    def ask(self, seconds: float) -> None:
        """Pass over so many seconds more; or fewer, as far as they are still ahead."""
        if self._codec in ABLE:
            self.left_s = max(self.left_s + seconds, min(self.left_s, LEFT_S))

    def split(self, count: int, *, samples: int, rate: int, size: int) -> tuple[int, int]:
        """Of the next `count` packets, give how many to pass over, and how many after them to warm up with.

        Args:
            count: of packets.
            samples: that each of them holds.
            rate: of these, in Hz.
            size: of the first packet, in bytes.
        """
        left = int(self.left_s * rate / samples + 1e-6)  # whole packets: never more than was asked for
        if left <= count:
            self.left_s = 0.0
        else:
            self.left_s -= count * samples / rate
        here = min(left, count)
        passed = max(0, min(here, left - self._warm_up(samples, rate, size)))
        return passed, here - passed

    def _warm_up(self, samples: int, rate: int, size: int) -> int:
        """Give the packets that the decoder needs; one more than the data say, since halves overlap."""
        if self._codec == "mp3":
            return 2 + math.ceil(MP3_RESERVOIR / max(size - MP3_SIDE, MP3_SIDE))
        if self._codec == "aac":
            return 2 if samples <= AAC_FRAME else 6
        return math.ceil(OPUS_WARM_UP_S * rate / samples)
