"""What a recipe may say: one TOML file makes one model, together with its seed and its data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from streamer.contract import Accuracy, Contract, Decision, FrontEnd, Probe
from training.errors import RecipeError

RECIPES = Path(__file__).with_name("recipes")


TAPS = 3
"""Steps that a layer over time sees."""


class NetRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network's sizes; see `training.net`.

    Attributes:
        filters: of the first layer, as (how many, frames, bands); some are over many bands, and these
            have one number of frames.
        patterns: over time, of which the filters over many bands are made.
        stride: frames from one step of the network to the next.
        band_stride: bands from one place where a filter over one band is tried to the next; the
            others are tried at every place.
        frozen_filters: leave them as they begin: see `fit --begin-from`.
        layers: over time.
        channels: of each layer over time.
        hidden: of the layer behind the pooling.
        dropout: share of the hidden features that are dropped in training.
        teacher: be the teacher itself, with a linear head (`training.tagger`), instead of a student:
            filters, layers, channels, hidden and tags are its own, the rest means nothing.
        tags: that the teacher gives.
    """

    filters: tuple[tuple[int, int, int], ...]
    patterns: int = 3
    stride: int
    band_stride: int = 1
    frozen_filters: bool = False
    layers: int = 3
    channels: int
    hidden: int
    dropout: float = 0.3
    teacher: bool = False
    tags: int = 0

    @property
    def wide(self) -> tuple[tuple[int, int, int], ...]:
        """The filters over many bands."""
        return tuple(size for size in self.filters if size[2] > 1)

    @property
    def long(self) -> tuple[tuple[int, int, int], ...]:
        """The filters over one band."""
        return tuple(size for size in self.filters if size[2] == 1)

    @property
    def wide_frames(self) -> int:
        """Frames of the filters over many bands, 1 where there are none."""
        return max((frames for _, frames, _ in self.wide), default=1)

    @property
    def longest(self) -> int:
        """Frames of the longest filter."""
        return max((frames for _, frames, _ in self.filters), default=1)


class FitRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The course of a training.

    Attributes:
        steps: optimiser steps.
        batch: windows a step.
        rate: highest learning rate; it rises over `warmup` steps and falls to zero as a cosine.
        warmup: steps.
        optimiser: `sgd` with Nesterov momentum, or `adamw` (Loshchilov and Hutter 2019).
        momentum: of SGD.
        weight_decay: of all weights but those of batch norms and biases: L2 for SGD, decoupled for AdamW.
        clip: longest gradient of all weights together; a longer one is scaled down. 0: any.
        label_smoothing: share of the target that is spread over all labels.
        mixup: share of windows that are mixed with another.
        group_cap: most clips of one group that count within its label; more share that weight.
        balance: 1 draws all labels alike, 0 draws them by their number of clips.
        dev_share: share of the training groups held back for temperature and curves; 0: none.
        check_every: steps from one checkpoint and one point of the curves to the next.
        ema: decay a step of the mean of weights that is evaluated and exported; 0: the last weights.
        patience: checks without a better NLL of the dev part after which training stops; 0: never.
        precision: `bf16` computes the layers in bfloat16 where the processor gains by it.
    """

    steps: int
    batch: int = 64
    rate: float = 0.05
    warmup: int = 100
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 0.0
    label_smoothing: float = 0.1
    mixup: float = 0.5
    group_cap: int = 12
    balance: float = 1.0
    dev_share: float = 0.0
    check_every: int = 100
    ema: float = 0.0
    patience: int = 0
    precision: Literal["float32", "bf16"] = "float32"


class AugmentRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a window may be changed; 0 turns a change off. See `training.augment`.

    Attributes:
        gain_db: level, up or down.
        tilt_db: equaliser tilt from the lowest to the highest band.
        curve_db: size of a smooth random equaliser curve.
        contrast: share by which the swing around each band's mean is stretched or flattened (compressors).
        low_pass: share of windows that lose everything above a random band of the upper half.
        shift_bands: pitch, in mel bands up or down.
        tempo: share by which a window is read faster or slower.
        masks: SpecAugment masks in time and in frequency, each.
        mask_frames: longest time mask.
        mask_bands: widest frequency mask.
    """

    gain_db: float = 0.0
    tilt_db: float = 0.0
    curve_db: float = 0.0
    contrast: float = 0.0
    low_pass: float = 0.0
    shift_bands: int = 0
    tempo: float = 0.0
    masks: int = 0
    mask_frames: int = 0
    mask_bands: int = 0


class DistilRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is learnt from a teacher's soft labels (`fit --teach`), beside the labels.

    Attributes:
        labelled: share of a batch that is drawn from labelled views; the rest has no labels.
        embedding: weight of the squared error of the teacher's standardised embedding.
        tags: weight of the cross-entropy of the teacher's tags.
        genres: how much counts what a linear head on the teacher's embedding says (`training.assistant`):
            its share in the targets of labelled windows, and the weight of unlabelled ones; 0: no such head.
        jitter: frames by which a window may lie beside the teacher's.
        refit: share in the final head of one that is fitted at the end (`training.refit`); 0: none is.
    """

    labelled: float = 0.5
    embedding: float = 1.0
    tags: float = 1.0
    genres: float = 0.0
    jitter: int = 3
    refit: float = 0.0


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole recipe.

    Attributes:
        name: as it stands in the model file.
        seed: of weights, batches and augmentation.
        not_music: labels that are no genre.
        training_data: one sentence for the model file.
        licence: of the model.
        front_end, net, fit, augment, decision: see there.
        distil: see there; None learns from labels alone.
    """

    name: str
    seed: int
    not_music: tuple[str, ...]
    training_data: str
    licence: str
    front_end: FrontEnd
    net: NetRecipe
    fit: FitRecipe
    augment: AugmentRecipe
    decision: Decision
    distil: DistilRecipe | None = None

    def draft_contract(self, labels: Sequence[str], decision: Decision | None = None) -> Contract:
        """Give what a decider needs of a model file, where there is none yet; `decision`: its own if None."""
        return Contract(
            labels=tuple(labels),
            not_music=tuple(label for label in labels if label in self.not_music),
            front_end=self.front_end,
            decision=decision or self.decision,
            accuracy=Accuracy(value=0.0, low=0.0, high=1.0, of="nothing"),
            probe=Probe(seed=0, probabilities=(0.0,) * len(labels), tolerance=1e-3),
            name=self.name,
            training_data=self.training_data,
            licence=self.licence,
            recipe=self.name,
            commit="",
            seed=self.seed,
        )

    def trains_as(self, other: "Recipe") -> bool:
        """Say whether both make the same weights: what is only written beside them may differ."""
        return self == msgspec.structs.replace(
            other, decision=self.decision, training_data=self.training_data, licence=self.licence
        )


def read_recipe(name: str) -> Recipe:
    """Read a recipe by its name in `training/recipes`, or by its path.

    Raises:
        RecipeError: there is none, or it says something wrong or unknown.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        text = path.read_bytes()
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise RecipeError(
            f"recipe '{name}' can't be read: {error.strerror}",
            remedy=f"give one of {known}, or the path of a TOML file",
        ) from error
    try:
        recipe = msgspec.toml.decode(text, type=Recipe)
        _refuse_unknown(text)
    except msgspec.MsgspecError as error:
        raise RecipeError(
            f"{path.name}: {error}", remedy="see training/recipe.py for what a recipe may say"
        ) from error
    check(recipe, path.name)
    return recipe


def _refuse_unknown(text: bytes) -> None:
    """Refuse keys that the shared structures of the contract would pass over."""
    tables = msgspec.toml.decode(text)
    for table, kind in (("front_end", FrontEnd), ("decision", Decision)):
        unknown = set(tables[table]) - set(kind.__struct_fields__)
        if unknown:
            raise msgspec.ValidationError(
                f"Object contains unknown field `{sorted(unknown)[0]}` - at `$.{table}`"
            )


def _steps(recipe: Recipe) -> int:
    """Give the steps that are left of a window behind all layers over time."""
    found = (recipe.front_end.n_frames - recipe.net.longest) // max(1, recipe.net.stride) + 1
    return found - (TAPS - 1) * recipe.net.layers


def check(recipe: Recipe, name: str) -> None:
    """Check what types alone can't say.

    Raises:
        RecipeError: a value is out of range; it is named, and so is the recipe, as `name`.
    """
    fit, front = recipe.fit, recipe.front_end
    rules = {
        "fit.steps": fit.steps >= 1,
        "fit.batch": fit.batch >= 2,
        "fit.rate": fit.rate > 0,
        "fit.momentum": 0 <= fit.momentum < 1,
        "fit.clip": fit.clip >= 0,
        "fit.label_smoothing": 0 <= fit.label_smoothing < 1,
        "fit.mixup": 0 <= fit.mixup <= 1,
        "fit.group_cap": fit.group_cap >= 1,
        "fit.balance": 0 <= fit.balance <= 1,
        "fit.dev_share": 0 <= fit.dev_share <= 0.5,
        "fit.check_every": fit.check_every >= 1,
        "fit.ema": 0 <= fit.ema < 1,
        "fit.patience": fit.patience >= 0 and (fit.patience == 0 or fit.dev_share > 0),
        "net.dropout": 0 <= recipe.net.dropout < 1,
        "augment.tempo": 0 <= recipe.augment.tempo < 0.5,
        "front_end.f_max": front.f_min < front.f_max <= front.sample_rate / 2,
        "net.filters": bool(recipe.net.wide)
        and all(count >= 1 and 1 <= bands <= front.n_mels for count, _, bands in recipe.net.filters)
        and all(frames == recipe.net.wide_frames for _, frames, _ in recipe.net.wide),
        "net.teacher": not recipe.net.teacher
        or bool(recipe.distil and recipe.distil.labelled == 1 and recipe.net.tags),
        "net.patterns": 1 <= recipe.net.patterns <= recipe.net.wide_frames,
        "net.stride": recipe.net.stride >= 1,
        "net.band_stride": recipe.net.band_stride >= 1,
        "net.layers": recipe.net.layers >= 1,
        "net.channels": recipe.net.channels >= 1,
        "net.hidden": recipe.net.hidden >= 1,
        "front_end.n_frames": _steps(recipe) >= 1,
        "front_end.hop_length": 1 <= front.hop_length <= front.n_fft,
    }
    if recipe.distil:
        rules["distil.labelled"] = 0 <= recipe.distil.labelled <= 1
        rules["distil.embedding"] = recipe.distil.embedding >= 0
        rules["distil.tags"] = recipe.distil.tags >= 0
        rules["distil.genres"] = 0 <= recipe.distil.genres <= (1 if recipe.distil.labelled else 0)
        rules["distil.refit"] = 0 <= recipe.distil.refit <= (1 if recipe.distil.labelled else 0)
        rules["distil.jitter"] = recipe.distil.jitter >= 0
    for key, holds in rules.items():
        if not holds:
            raise RecipeError(
                f"{name}: '{key}' is out of range", remedy="see training/recipe.py for its meaning"
            )
