"""Figures in, tables out: text cells that the HTML report and the Markdown summary both show."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; the first column names the row; where `words` the last holds no figures."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    words: bool = False


def number(value: Any, digits: int = 3) -> str:
    """Give a figure as text; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Give a share as per cent."""
    return "-" if value is None else f"{100 * value:.1f}%"


def interval(found: dict[str, Any]) -> str:
    """Give `low` and `high` of a figure."""
    return f"{number(found['low'])} to {number(found['high'])}"


def headline(figures: dict[str, Any]) -> Table:
    """Give the accuracies over the genres and over all labels."""
    segments, everything = figures["segments"], figures["all_labels"]

    def row(name: str, found: dict[str, Any]) -> list[list[str]]:
        return [
            [f"clip accuracy, {name}", number(found["accuracy"]["value"]), interval(found["accuracy"])],
            [
                f"balanced clip accuracy, {name}",
                number(found["balanced_accuracy"]),
                interval(found["balanced_accuracy_interval"]),
            ],
            [f"macro-F1, {name}", number(found["macro_f1"]), "-"],
        ]

    return Table(
        f"Accuracy: {figures['accuracy']['of']}. The answer is the most probable of all "
        f"{len(figures['labels'])} labels: music that is called speech is wrong.",
        ["", "value", "95% over groups"],
        [
            *row("genres", figures),
            [
                "window accuracy, genres",
                number(segments["accuracy"]),
                interval(segments["accuracy_interval"]),
            ],
            ["balanced window accuracy, genres", number(segments["balanced_accuracy"]), "-"],
            *row("all labels", everything),
            ["window accuracy, all labels", number(segments["accuracy_all_labels"]), "-"],
        ],
    )


def by_seed(figures: dict[str, Any]) -> Table:
    """Give the figures of each split seed."""
    keys = ("accuracy", "balanced_accuracy", "macro_f1")
    found = figures["by_split_seed"]
    rows = [[f"split seed {seed}", *(number(own[key]) for key in keys)] for seed, own in found.items()]
    if len(found) > 1:
        means = [sum(own[key] for own in found.values()) / len(found) for key in keys]
        rows.append(["mean", *map(number, means)])
    caption = (
        "Folds dealt out anew. The interval above counts a clip once, however many seeds asked about it."
    )
    return Table(caption, ["", "clip accuracy", "balanced", "macro-F1"], rows)


def by_label(figures: dict[str, Any]) -> Table:
    """Give precision, recall and F1 of each label."""
    rows = [
        [
            label,
            str(row["clips"]),
            str(row["groups"]),
            *(number(row[key], 2) for key in ("precision", "recall", "f1")),
            ", ".join(f"{other['label']} {other['clips']:.3g}" for other in row["taken_for"]) or "-",
        ]
        for label, row in figures["by_label"].items()
    ]
    columns = ["label", "clips", "groups", "precision", "recall", "F1", "taken for (clips)"]
    return Table(f"By label, {figures['accuracy']['of'].split(', ', 1)[-1]}", columns, rows, words=True)


def confusion(figures: dict[str, Any]) -> Table:
    """Give the confusion matrix in clips, as the mean of the split seeds."""
    seeds, labels = len(figures["split_seeds"]), figures["labels"]
    rows = [
        [label, *(f"{count / seeds:.3g}" if count else "" for count in counts)]
        for label, counts in zip(labels, figures["confusion"], strict=True)
    ]
    mean = f"; mean of {seeds} split seeds" if seeds > 1 else ""
    return Table(
        f"Confusion in clips: rows are what it was, columns what was said{mean}", ["", *labels], rows
    )


def calibration(figures: dict[str, Any]) -> Table:
    """Give the expected calibration errors."""
    windows, clips = figures["calibration"]["windows"], figures["calibration"]["clips"]
    return Table(
        f"Expected calibration error, 15 bins; temperature fitted on {figures['temperatures_fitted_on']}",
        ["", "every label weighs the same", "as counted"],
        [
            [
                "windows, before the temperature",
                number(windows["ece_before"]),
                number(windows["ece_before_as_counted"]),
            ],
            ["windows, after", number(windows["ece"]), number(windows["ece_as_counted"])],
            ["clips (mean over windows), after", number(clips["ece"]), number(clips["ece_as_counted"])],
        ],
    )


def risk(figures: dict[str, Any]) -> Table:
    """Give area and coverage of risk against coverage."""
    rows = [
        [what, number(found["area"]), percent(found["coverage_at_precision"])]
        for what, found in ((what, figures["risk"][what]) for what in ("clips", "windows"))
    ]
    precision = f"{figures['risk']['clips']['precision']:.0%}"
    caption = "Music, answered surest first (AURC: area under risk against coverage, less is better)"
    return Table(caption, ["", "AURC", f"coverage at {precision} precision"], rows)


def gates(figures: dict[str, Any]) -> Table:
    """Give what single windows are called by the streamer's rule."""
    found = figures["gates"]
    names = {f"{label}_given_genre": f"{label} given a genre" for label in figures["not_music"]} | {
        "music_called_not_music": "music called speech or noise",
        "music_unsure": "music called unsure",
        "music_given_genre": "music given a genre",
        "right_where_given": "genre right, where music is given one",
    }
    return Table(
        "Single windows by the streamer's rule, before any smoothing: music is weighed against speech and "
        f"noise as a whole, then a genre is said from {number(found['unsure_below'], 2)} on",
        ["windows of", "share"],
        [[text, percent(found[key])] for key, text in names.items() if key in found],
    )


def leaky(figures: dict[str, Any]) -> Table:
    """Give the honest figures and the leaky ones, one above the other."""
    rows = []
    for name, found in (("honest", figures), ("LEAKY", figures["leaky_figures"])):
        accuracy = found["accuracy"]
        figure = [number(accuracy["value"]), interval(accuracy), number(found["balanced_accuracy"])]
        rows.append([f"{name}: {accuracy['of']}", *figure, number(found["segments"]["accuracy"])])
    return Table(
        "The same recipe on folds made clip by clip, so that other clips of a test clip's artist taught it. "
        "LEAKY figures are what such a split would have claimed; they are worth nothing.",
        ["", "clip accuracy", "95% over groups", "balanced", "window accuracy"],
        rows,
    )


def robustness(figures: dict[str, Any]) -> Table:
    """Give accuracy and difference from clean under each condition."""
    found = figures["robustness"]
    rows = [
        [
            row["name"],
            number(row["accuracy"]),
            "" if row is found["conditions"][0] else f"{100 * row['difference']['value']:+.1f}",
            ""
            if row is found["conditions"][0]
            else f"{100 * row['difference']['low']:+.1f} to {100 * row['difference']['high']:+.1f}",
            percent(row["unsure"]),
            number(row["not_music_accuracy"]),
            str(row["clips"]),
        ]
        for row in found["conditions"]
    ]
    chosen = found["clips_per_label"]
    which = (
        "all clips"
        if chosen is None
        else f"{chosen} clips of each label at most, drawn with seed {found['seed']}"
    )
    return Table(
        f"Music clips after changes of the sound ({which}); differences are in points from the same clips "
        "unchanged, with a paired interval over groups",
        ["", "accuracy", "difference", "95%", "called unsure", "speech and noise right", "music clips"],
        rows,
    )


def unseen(figures: dict[str, Any]) -> Table:
    """Give what networks say of the genre that each of them never saw."""
    rows = []
    for row in figures["unseen"]:
        if not row["clips"]:
            rows.append([row["genre"], "0", *["-"] * 6])
            continue
        given = row["given_genre"]
        said = ", ".join(f"{other['answer']} {other['clips']}" for other in row["said"][:4])
        rows.append(
            [
                row["genre"],
                str(row["clips"]),
                f"{percent(given['value'])} ({percent(given['low'])} to {percent(given['high'])})",
                percent(row["known_given_genre"]),
                number(row["mean_confidence"], 2),
                number(row["known_mean_confidence"], 2),
                number(row["auroc"], 2),
                said,
            ]
        )
    left_out = sum(row["left_out"] for row in figures["unseen"])
    return Table(
        "One genre left out of training in turn: clips given a genre all the same by the streamer's rule, "
        "and AUROC of the highest probability, music that is known against the unseen genre (0.5: it can't "
        f"tell). {left_out} clips are left out since their group taught the network under another label.",
        [
            "unseen",
            "clips",
            "given a genre (95%)",
            "known music: given",
            "mean confidence",
            "known",
            "AUROC",
            "said",
        ],
        rows,
        words=True,
    )


def data(figures: dict[str, Any]) -> list[Table]:
    """Give the set by label and by licence."""
    found = figures["data"]
    labels = [
        [label, str(row["clips"]), str(row["groups"]), number(row["hours"], 2)]
        for label, row in found["labels"].items()
    ]
    labels.append(["all", str(found["clips"]), str(found["groups"]), number(found["hours"], 2)])
    licences = [[name, str(count)] for name, count in found["licences"].items()]
    return [
        Table(
            "The set by label; a group may hold several labels", ["label", "clips", "groups", "hours"], labels
        ),
        Table("Licences as the set states them", ["licence", "clips"], licences),
    ]
