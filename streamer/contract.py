"""What a model file promises: its metadata, written by `export`, read and checked by the streamer.

The metadata of an ONNX file is a flat map of strings. Every key here is
`genrecast.<field>`; text fields are stored as they are, all others as JSON. The
front end is built from these values alone, so nobody sets a mel parameter twice.
"""

import json
from typing import Any, Literal, get_type_hints

import msgspec
import numpy as np

from streamer.errors import ModelContractError
from streamer.flow import Samples

CONTRACT_VERSION = 1
PREFIX = "genrecast."
MAX_WINDOW_S = 60.0  # twenty of ours; a file that says more would have us make hours of samples for its probe
REMEDY = "export it again with 'python -m export convert', or give --model a genrecast model file"


class FrontEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How samples become log-mel frames.

    Frame k covers samples [k * hop_length, k * hop_length + n_fft); nothing is padded.
    A frame is log(mel + log_offset) of the power spectrum under a periodic window, levelled
    (`normalisation`) so that nothing behind it hears how loud a source is.

    Attributes:
        sample_rate: Hz, of the mono audio that frames are computed from.
        n_fft: samples in a frame.
        hop_length: samples from one frame to the next.
        window: window function, `hann`.
        n_mels: mel bands.
        f_min: lower edge of the lowest band in Hz.
        f_max: upper edge of the highest band in Hz.
        mel_scale: `htk` or `slaney`.
        mel_norm: `none`, or `slaney` (each band divided by half its width in Hz).
        log_offset: added to the mel power before the logarithm.
        n_frames: frames in a window, the model's input is (batch, n_frames, n_mels).
        normalisation: `none`, or `level`: the logarithm of the running mean square of the samples,
            as of the frame's last one, is taken off each frame.
        level_half_life_s: seconds after which a sample counts half in that mean; 0 with `none`.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    window: Literal["hann"]
    n_mels: int
    f_min: float
    f_max: float
    mel_scale: Literal["htk", "slaney"]
    mel_norm: Literal["none", "slaney"]
    log_offset: float
    n_frames: int
    normalisation: Literal["none", "level"] = "none"
    level_half_life_s: float = 0.0

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate

    @property
    def window_s(self) -> float:
        """Seconds that a whole window covers."""
        return self.window_samples / self.sample_rate

    @property
    def window_samples(self) -> int:
        """Samples that a whole window covers."""
        return self.n_fft + (self.n_frames - 1) * self.hop_length


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How windows become verdicts, as tuned for the model; see `streamer.decide`.

    A model file states every one. The values here are for recipes that were not tuned.

    Attributes:
        half_life_s: seconds of audio after which a window counts half in the smoothed probabilities.
        sharpness: power to which their mean is raised, so that they are calibrated.
        boundary_keeps: share of the weight of what was heard that stays over a new title or a silence.
        lead: how many times as likely as the genre that is said another must be to replace it.
        new_title_lead: the same in the first seconds of a title that the source names.
        titled_lead: the same deep in such a title.
        kind_lead: the same from music to speech or noise and back, and between speech and noise.
        music_odds: how many times as likely as speech or noise music must be to lead.
        unsure_below: smoothed probability of a genre from which it is said; else the answer is `unsure`.
        keep_above: smoothed probability down to which a genre that is said is kept.
        other_below: smoothed probability of speech or noise under which the answer is `unsure`.
        silence_dbfs: level under which the last second is silence.
        track_s: seconds that a run of one genre must last to be told as a track without a title.
    """

    half_life_s: float = 2.5
    sharpness: float = 1.5
    boundary_keeps: float = 0.1
    lead: float = 8.0
    new_title_lead: float = 3.0
    titled_lead: float = 30.0
    kind_lead: float = 1.5
    music_odds: float = 1.5
    unsure_below: float = 0.3
    keep_above: float = 0.05
    other_below: float = 0.5
    silence_dbfs: float = -60.0
    track_s: float = 60.0


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """A group-disjoint accuracy with its 95% interval over groups, all in 0..1, and what it is of."""

    value: float
    low: float
    high: float
    of: str


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A seeded input and what the model must answer to it, checked at every start.

    Attributes:
        seed: of `probe_samples`, which goes through the whole front end.
        probabilities: the answer, in the order of the labels.
        tolerance: largest absolute difference that is accepted.
    """

    seed: int
    probabilities: tuple[float, ...]
    tolerance: float


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """All that a model file says of itself.

    Attributes:
        labels: in the order of the graph's output.
        not_music: those labels that are no genre.
        front_end: see `FrontEnd`.
        decision: see `Decision`.
        accuracy: see `Accuracy`.
        probe: see `Probe`.
        name: what the model is called in messages.
        training_data: one sentence.
        licence: of the model file.
        recipe: name of the training recipe.
        commit: of the code that trained it.
        seed: of the training.
        features: names of the tensors at which the graph may be cut, in order; none where it may
            not. Each step of one is of a few steps of the one before it, and of the first of a few
            frames, so windows that overlap can share them.
        features_stride: for each, steps of what is before it from one of its own to the next.
        features_sees: for each, steps of what is before it that one of its own is made of; a window
            is of whole steps.
    """

    labels: tuple[str, ...]
    not_music: tuple[str, ...]
    front_end: FrontEnd
    decision: Decision
    accuracy: Accuracy
    probe: Probe
    name: str
    training_data: str
    licence: str
    recipe: str
    commit: str
    seed: int
    features: tuple[str, ...] = ()
    features_stride: tuple[int, ...] = ()
    features_sees: tuple[int, ...] = ()

    @property
    def genres(self) -> tuple[str, ...]:
        """The labels that are music."""
        return tuple(label for label in self.labels if label not in self.not_music)


# Nested structures are flattened: `front_end.hop_length` is stored as `genrecast.hop_length`.
_PARTS: dict[str, type[msgspec.Struct]] = {
    "front_end": FrontEnd,
    "decision": Decision,
    "accuracy": Accuracy,
    "probe": Probe,
}
_PREFIXED = ("accuracy", "probe")  # `genrecast.probe_seed`: `seed` alone is the training's
_OF_CUT = ("features", "features_stride", "features_sees")  # left out where there is none


def write_contract(contract: Contract) -> dict[str, str]:
    """Give the metadata of a model file: flat, all values strings."""
    values: dict[str, Any] = {"contract": CONTRACT_VERSION}
    for field in contract.__struct_fields__:
        if field in _OF_CUT and not contract.features:
            continue
        value = getattr(contract, field)
        if field in _PARTS:
            head = f"{field}_" if field in _PREFIXED else ""
            values |= {f"{head}{key}": getattr(value, key) for key in value.__struct_fields__}
        else:
            values[field] = value
    return {f"{PREFIX}{key}": v if isinstance(v, str) else json.dumps(v) for key, v in values.items()}


def read_contract(metadata: dict[str, str], *, name: str) -> Contract:
    """Read and check the metadata of a model file.

    Args:
        metadata: as it stands in the file; keys of others are passed over.
        name: the file's name, for messages.

    Raises:
        ModelContractError: a key is missing, has the wrong type, or contradicts another.
    """
    if not any(key.startswith(PREFIX) for key in metadata):
        raise ModelContractError(
            f"{name}: an ONNX model, but not one of genrecast's: it has no '{PREFIX}*' metadata",
            remedy=REMEDY,
        )
    version = _value(metadata, "contract", int, name)
    if version != CONTRACT_VERSION:
        raise ModelContractError(
            f"{name}: '{PREFIX}contract' is {version}, this genrecast reads version {CONTRACT_VERSION}",
            remedy="use a genrecast of the model's version, or export the model again",
        )
    fields: dict[str, Any] = {}
    for field, kind in get_type_hints(Contract).items():
        if field in _PARTS:
            head = f"{field}_" if field in _PREFIXED else ""
            hints = get_type_hints(_PARTS[field])
            fields[field] = _PARTS[field](
                **{key: _value(metadata, head + key, hint, name) for key, hint in hints.items()}
            )
        elif field not in _OF_CUT or PREFIX + field in metadata:
            fields[field] = _value(metadata, field, kind, name)
    contract = Contract(**fields)
    _check(contract, name)
    return contract


def _value(metadata: dict[str, str], field: str, kind: Any, name: str) -> Any:
    """Give one value as its type."""
    key = PREFIX + field
    if key not in metadata:
        raise ModelContractError(f"{name}: metadata key '{key}' is missing", remedy=REMEDY)
    text = metadata[key]
    try:
        return msgspec.convert(text, kind)
    except msgspec.ValidationError:
        pass  # no text: JSON then
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise ModelContractError(
            f"{name}: metadata key '{key}' is {text[:60]!r}: {error}", remedy=REMEDY
        ) from error


def _check(contract: Contract, name: str) -> None:
    """Check what types alone can't say."""
    front, decision = contract.front_end, contract.decision
    rules = {
        "labels": len(set(contract.labels)) == len(contract.labels) >= 2,
        "not_music": set(contract.not_music) < set(contract.labels),
        "sample_rate": 4_000 <= front.sample_rate <= 192_000,
        "n_fft": 16 <= front.n_fft <= 65_536,
        "hop_length": 1 <= front.hop_length <= front.n_fft,
        "n_mels": 1 <= front.n_mels <= 1024,
        "n_frames": 1 <= front.n_frames <= 10_000 and front.window_s <= MAX_WINDOW_S,
        "f_min": 0 <= front.f_min < front.f_max,
        "f_max": front.f_max <= front.sample_rate / 2,
        "log_offset": front.log_offset > 0,
        "level_half_life_s": (front.level_half_life_s > 0) == (front.normalisation == "level"),
        "half_life_s": decision.half_life_s > 0,
        "sharpness": decision.sharpness > 0,
        "boundary_keeps": 0 <= decision.boundary_keeps <= 1,
        "lead": decision.lead >= 1,
        "new_title_lead": decision.new_title_lead >= 1,
        "titled_lead": decision.titled_lead >= 1,
        "kind_lead": decision.kind_lead >= 1,
        "music_odds": decision.music_odds > 0,
        "unsure_below": 0 <= decision.unsure_below <= 1,
        "keep_above": 0 <= decision.keep_above <= decision.unsure_below,
        "other_below": 0 <= decision.other_below <= 1,
        "track_s": decision.track_s > 0,
        "features": all(contract.features) and len(set(contract.features)) == len(contract.features),
        "features_stride": len(contract.features_stride) == len(contract.features)
        and all(stride >= 1 for stride in contract.features_stride),
        "features_sees": len(contract.features_sees) == len(contract.features) and _are_whole(contract),
        "probe_probabilities": len(contract.probe.probabilities) == len(contract.labels),
        "probe_seed": 0 <= contract.probe.seed < 2**32,
        "probe_tolerance": 0 < contract.probe.tolerance <= 0.1,
    }
    for field, holds in rules.items():
        if not holds:
            raise ModelContractError(
                f"{name}: metadata key '{PREFIX}{field}' is out of range or contradicts another key",
                remedy=REMEDY,
            )


def _are_whole(contract: Contract) -> bool:
    """Say whether a window is of whole steps at every cut."""
    before = contract.front_end.n_frames
    for stride, sees in zip(contract.features_stride, contract.features_sees, strict=False):
        if not 1 <= stride <= sees <= before or (before - sees) % stride:
            return False
        before = (before - sees) // stride + 1
    return True


def probe_samples(seed: int, n: int) -> Samples:
    """Give (n,) float32 samples that any language can make again: a chord in hashed noise.

    The noise is a counter through MurmurHash3's 32-bit finaliser (public domain,
    A. Appleby), so it needs no generator's state and no library.
    """
    i = np.arange(n, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B1)
    h = i.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    noise = h.astype(np.float64) / 2**31 - 1.0
    phase = np.arange(n, dtype=np.float64) / n
    chord = sum(np.sin(2 * np.pi * cycles * phase) for cycles in (330.0, 660.0, 990.0))
    return (0.1 * noise * (1.0 - phase) + 0.1 * chord).astype(np.float32)
