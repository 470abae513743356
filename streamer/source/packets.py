"""Packets of one codec to blocks. FFmpeg sees only packets of the codecs on our list, never a container."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice, pairwise
from typing import Any, TypeAlias, cast

import av
import av.error
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from streamer.errors import BrokenAudioError, SourceError
from streamer.flow import SourceEvent
from streamer.source.blocks import MAX_BLOCK_S, BlockBuilder
from streamer.source.frames import Run
from streamer.source.opus import opus_groups, opus_merge, opus_samples
from streamer.source.skip import Skip
from streamer.source.sniff import not_audio

AnyPacket: TypeAlias = "av.Packet[Any] | bytes"

DECODERS = {"mp3": "mp3float", "aac": "aac", "opus": "opus", "vorbis": "vorbis", "flac": "flac"}
"""What we decode, and FFmpeg's decoder for it: every other is kept from hostile bytes."""

MAX_BAD_PACKETS = 500  # in a row: about 12 s of MP3

# Frames decoded as one packet, which FFmpeg's decoders of MP3 and AAC take apart themselves: three packets
# a second. Fewer are no cheaper, and a decoder keeps the memory for ever that a packet's frames take, 9 to
# 16 KB each. The one of AAC looks for the next frame where the bits of the last one end, not where its
# header said: a station that puts anything in between is noticed by what comes out.
GROUP = 14
# An empty ID3v1 tag, which the MP3 decoder passes over. A broken frame at the end of a packet would
# be an error, and an error takes the frames before it along; anywhere else it is just left out.
GROUP_END = b"TAG\0"
BATCH = 18  # packets of other codecs, of which all that they hold is held at once: 4 MB at most


class PacketDecoder:
    """Decodes the packets of one codec; a packet that is broken is passed over and counted.

    Args:
        codec: a key of `DECODERS`.
        name: what to call the source in an error.
        extradata: the codec's own header, where it has one outside its packets.
        bitrate: as the station says it, in bits per second.
        context: FFmpeg's decoder, where a container has made it; the list does not apply then.
        max_s: the longest block.
        skip: what is to be passed over, where decoders before this one have shared it.
    """

    def __init__(
        self,
        codec: str,
        *,
        name: str,
        extradata: bytes | None = None,
        bitrate: int | None = None,
        context: AudioCodecContext | None = None,
        max_s: float = MAX_BLOCK_S,
        skip: Skip | None = None,
    ) -> None:
        self._name, self._codec = name, codec
        self._context = context or _make_context(codec, extradata, name)
        self._context.thread_count = 1  # many stations share the cores; two threads for one are slower
        self._builder = BlockBuilder(codec, name=name, bitrate=bitrate, max_s=max_s)
        self._skip = skip or Skip()
        self._skip.serve(codec)
        self._lasts = 0  # samples that the next packet should hold; 0: not known
        self._unsettled = 0  # frames until it is: FFmpeg gives the first of another rate the old one's name
        self._grouping = codec == "aac"
        # With more than two channels a packet holds several streams, which can't be made one so.
        self._merging = codec == "opus" and extradata is not None and extradata[18:19] == b"\0"
        # What a container gives must not wait, since an error may follow; FLAC packs hours into few bytes.
        self._batch = BATCH if context is None and codec != "flac" else 1
        self._bad_in_a_row = 0
        self.bad_packets = 0

    @property
    def frames(self) -> int:
        """How many frames were decoded so far, or passed over."""
        return self._builder.frames

    def skip(self, seconds: float) -> None:
        """Pass over the next so many seconds undecoded, as far as whole packets; more, where some are left.

        The samples after them are those that decoding everything gives. Blocks count what was
        passed over (`Block.skipped`). Packets of Vorbis and FLAC vary in length: they are all decoded.
        """
        self._skip.ask(seconds)

    def decode(self, packets: Iterable[AnyPacket]) -> Iterator[SourceEvent]:
        """Give what the packets hold, joined into one block as far as it is one format."""
        coming = iter(packets)
        while batch := list(islice(coming, self._batch if self._builder.rate else 1)):
            if self._skip.left_s:
                for packet in batch:
                    yield from self._decode_or_skip(packet)
            elif self._merging and len(batch) > 1:
                yield from self._decode_merged(cast(list[bytes], batch))
            else:
                yield from self._decode(batch)
        yield from self._builder.take()

    def decode_runs(self, runs: Iterable[Run]) -> Iterator[SourceEvent]:
        """Give what frames hold that follow one another in a stream, likewise."""
        for data, sizes, lost, fresh in runs:
            if lost:
                self.bad_packets += lost
                yield from self._builder.lose(lost * self._lasts)
            if fresh:
                self._lasts, self._unsettled = 0, 2
            first = at = 0
            while first < len(sizes):
                passed, warm = self._plan(len(sizes) - first, self._lasts, sizes[first])
                if passed:
                    yield from self._builder.skip(passed * self._lasts, passed)
                    at += sum(sizes[first : first + passed])
                    first += passed
                group = sizes[first : first + (warm or GROUP)]
                yield from self._decode_frames(data, at, group, drop=warm > 0)
                at += sum(group)
                first += len(group)
        yield from self._builder.take()

    def flush(self) -> Iterator[SourceEvent]:
        """Give what the decoder still holds."""
        yield from self._decode([None])
        yield from self._builder.take()

    def _decode_frames(self, data: bytes, at: int, sizes: list[int], *, drop: bool) -> list[SourceEvent]:
        """Decode frames that follow one another, few of them, as one packet where that will do."""
        if self._codec == "mp3" and sizes:
            frames = self._decode_group(data[at : at + sum(sizes)] + GROUP_END)
            bad = max(0, len(sizes) - len(frames))
            events = self._lose(bad, frames[-1].samples if frames else self._lasts, drop=drop) if bad else []
            return events + self._put(frames, drop=drop, alike=True)
        if self._grouping and self._lasts and len(sizes) > 1:
            frames = self._decode_group(data[at : at + sum(sizes)])
            if len(frames) == len(sizes):
                return self._put(frames, drop=drop)
            self._grouping = False  # not with this station; these are decoded again
        return self._decode([data[a:b] for a, b in pairwise(accumulate(sizes, initial=at))], drop=drop)

    def _decode_merged(self, packets: list[bytes]) -> list[SourceEvent]:
        """Decode Opus packets, as few larger ones where that will do."""
        events: list[SourceEvent] = []
        held: list[AudioFrame] = []
        for group, mergeable in opus_groups(packets):
            frames = self._decode_group(opus_merge(group)) if mergeable else []
            held += frames
            if not frames:
                events += self._put(held, drop=False) + self._decode(group)
                held = []
        return events + self._put(held, drop=False)

    def _decode_group(self, data: bytes) -> list[AudioFrame]:
        try:
            return self._context.decode(_packet(data))
        except av.error.FFmpegError:
            return []

    def _samples_in(self, packet: AnyPacket) -> int:
        """Give how many samples a packet should hold, 0 where that is not known."""
        return opus_samples(bytes(memoryview(packet)[:2])) if self._codec == "opus" else self._lasts

    def _decode_or_skip(self, packet: AnyPacket) -> list[SourceEvent]:
        samples = self._samples_in(packet)
        passed, warm = self._plan(1, samples, len(memoryview(packet)))
        return self._builder.skip(samples, 1) if passed else self._decode([packet], drop=bool(warm))

    def _plan(self, count: int, samples: int, size: int) -> tuple[int, int]:
        """Of the next packets, give how many to pass over, and how many of those after to decode and drop."""
        if not (self._skip.left_s and samples and self._builder.rate):
            return 0, 0
        return self._skip.split(count, samples=samples, rate=self._builder.rate, size=size)

    def _decode(self, packets: "Sequence[AnyPacket | None]", *, drop: bool = False) -> list[SourceEvent]:
        """Decode packets one by one.

        Args:
            packets: few enough for all that they hold to be held at once; None for the end.
            drop: True where the samples are not wanted.
        """
        events: list[SourceEvent] = []
        held: list[AudioFrame] = []
        decoded = map(self._context.decode, map(_packet, packets))
        while True:
            try:
                for frames in decoded:
                    held += frames
                return events + self._put(held, drop=drop)
            except av.error.FFmpegError:
                events += self._put(held, drop=drop)
                events += self._lose(1, self._lasts, drop=drop)
                held = []

    def _put(self, frames: list[AudioFrame], *, drop: bool, alike: bool = False) -> list[SourceEvent]:
        if not frames:
            return []
        self._bad_in_a_row = 0
        if drop:
            return self._builder.skip(sum(frame.samples for frame in frames), len(frames))
        events = self._builder.add(frames, alike=alike)
        self._unsettled -= len(frames)
        if self._unsettled <= 0:
            self._lasts = self._builder.frame_samples
        return events

    def _lose(self, bad: int, samples: int, *, drop: bool = False) -> list[SourceEvent]:
        """Count packets that could not be decoded, of so many samples each."""
        self.bad_packets += bad
        self._bad_in_a_row += bad
        if self._bad_in_a_row > MAX_BAD_PACKETS:
            raise broken(self._name, self.frames)
        return self._builder.skip(bad * samples, 0) if drop else self._builder.lose(bad * samples)


def broken(name: str, frames: int) -> SourceError:
    """Build the error for bytes that can't be decoded: after audio, or never any."""
    if not frames:
        return not_audio(name, "no sample could be decoded")
    return BrokenAudioError(
        f"{name}: audio began and can no longer be decoded",
        remedy="check with another player what is sent there",
    )


def _make_context(codec: str, extradata: bytes | None, name: str) -> AudioCodecContext:
    if codec not in DECODERS:
        raise not_audio(name, f"'{codec[:40]}' is not decoded here")
    context = cast(AudioCodecContext, av.CodecContext.create(DECODERS[codec], "r"))
    if extradata:
        context.extradata = extradata
    return context


def _packet(data: "AnyPacket | None") -> "av.Packet[Any] | None":
    """Copy bytes into a packet: FFmpeg reads some bytes further, and finds zeros in a packet of its own."""
    if not isinstance(data, bytes):
        return data
    packet = av.Packet(len(data))
    packet.update(data)
    return packet
