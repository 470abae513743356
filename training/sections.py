"""What a report says, in which order: figures in, sections with words, tables and pictures out."""

from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from training import beside, plots, tables
from training.tables import Table, number


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what it shows, for those who can't see it."""

    figure: Figure
    alt: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report; `text` is shown first."""

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def sections_of(figures: dict[str, Any]) -> list[Section]:
    """Give the sections of a report from what `evaluation.json` holds."""
    found = [_accuracy(figures), _labels(figures), _calibration(figures), _risk(figures), _gates(figures)]
    if "leaky_figures" in figures:
        found.append(Section("LEAKY beside honest", tables=[tables.leaky(figures)]))
    if "robustness" in figures:
        found.append(_robustness(figures))
    if "unseen" in figures:
        found.append(Section("A genre that it never saw", tables=[tables.unseen(figures)]))
    if "baselines" in figures:
        table, rows = beside.models(figures)
        alt = f"Clip accuracy of {len(rows)} models with intervals; the same figures are in the table"
        found.append(
            Section("Other models", tables=[table], pictures=[Picture(plots.baselines_plot(rows), alt)])
        )
    if "tune" in figures:
        found.append(_programmes(figures["tune"]))
    found += [_curves(figures), Section("The set", tables=tables.data(figures))]
    return found


def facts_of(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Give the head of a report: what was evaluated, and how it can be done again."""
    data, seeds = figures["data"], ", ".join(map(str, figures["split_seeds"]))
    commits = f"trained at {figures['commit']}, evaluated at {figures['evaluated_at_commit']}"
    leak = (
        "LEAKY: clips of one group are on both sides of the split; no figure here is honest"
        if figures["leaky"]
        else "no group taught a network that was asked about it"
        + ("; figures of folds made clip by clip are marked LEAKY" if "leaky_figures" in figures else "")
    )
    return [
        ("recipe", figures["recipe"]),
        ("seeds", f"training {', '.join(map(str, figures['seeds']))}; splits {seeds}"),
        ("split", f"{figures['split']}, {leak}"),
        (
            "asked",
            f"{figures['clips']} clips of {figures['groups']} groups, a window each {figures['hop_s']:g} s",
        ),
        (
            "set",
            f"{data['clips']} clips of {data['groups']} groups, {len(data['labels'])} labels, "
            f"{data['hours']:.2f} h",
        ),
        ("temperature", number(figures["temperature"])),
        ("commit", commits),
        ("command", figures["command"]),
    ]


def _accuracy(figures: dict[str, Any]) -> Section:
    own = [tables.headline(figures)]
    if len(figures["by_split_seed"]) > 1:
        own.append(tables.by_seed(figures))
    return Section("Accuracy", tables=own)


def _labels(figures: dict[str, Any]) -> Section:
    sizes = [figures["by_label"][label]["clips"] for label in figures["labels"]]
    picture = plots.confusion_plot(figures["confusion"], figures["labels"], sizes)
    alt = f"Confusion matrix, {figures['accuracy']['of']}; the same counts are in the table below"
    return Section(
        "By label",
        tables=[tables.by_label(figures), tables.confusion(figures)],
        pictures=[Picture(picture, alt)],
    )


def _calibration(figures: dict[str, Any]) -> Section:
    windows = figures["calibration"]["windows"]
    alt = f"Reliability diagram of windows (ECE {number(windows['ece'])}) and of clips"
    text = "When it says 0.7, is it right seven times of ten? Drawn with every label weighing the same."
    picture = Picture(plots.reliability_plot(figures["calibration"]), alt)
    return Section("Calibration", text, [tables.calibration(figures)], [picture])


def _risk(figures: dict[str, Any]) -> Section:
    alt = "Share of wrong answers against the share of music that is answered, for clips and windows"
    return Section(
        "Risk against coverage", "", [tables.risk(figures)], [Picture(plots.risk_plot(figures["risk"]), alt)]
    )


def _gates(figures: dict[str, Any]) -> Section:
    text = "Silence is measured by level before the network is asked, and is never given a genre."
    return Section("Speech, noise and music", text, [tables.gates(figures)])


def _robustness(figures: dict[str, Any]) -> Section:
    found = figures["robustness"]
    text = f"{found['clips']} clips, decoded once and changed in {len(found['conditions']) - 1} ways."
    if found["without_speech_over"]:
        count = found["without_speech_over"]
        text += f" {count} music clips have no speech over them: no speech clip was held out with them."
    alt = "Difference of clip accuracy from clean in every condition; the same figures are in the table"
    picture = Picture(plots.robustness_plot(found["conditions"]), alt)
    return Section("Robustness", text, [tables.robustness(figures)], [picture])


def _programmes(tune: dict[str, Any]) -> Section:
    """Show what `python -m training tune` found; the swept points are in the picture, and in its JSON."""
    shown, pictures = dict(tune), []
    if {"points", "at_equal_delay"} <= set(tune.get("comparison", {})):
        figure = plots.tradeoff_plot(tune["comparison"], tune["figures"]["without_titles"])
        pictures = [Picture(figure, "False flips a minute against the time to correct, for each smoothing")]
        shown["comparison"] = {key: value for key, value in tune["comparison"].items() if key != "points"}
    return Section("Programmes", "", beside.tables_of("Programmes", shown), pictures)


def _curves(figures: dict[str, Any]) -> Section:
    watched = figures["curves"][0]["watched"]
    alt = f"Loss and accuracy of {len(figures['curves'])} runs over their steps, training and {watched}"
    text = f"Watched on the {watched}. Training windows are augmented and mixed: harder than they look."
    return Section("Learning curves", text, pictures=[Picture(plots.curves_plot(figures["curves"]), alt)])
