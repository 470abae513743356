"""What `prepare` tells of a set: how much can be used, what can't and why, and what is there twice."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from training.datasets import LeftOut
from training.duplicates import Pair

EXAMPLES = 5  # printed of each kind; all are in the file


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `report.json` holds.

    Attributes:
        listed, usable, decoded_now: clips that the set lists, that can be used, that were new in this run.
        seconds: of all usable ones.
        groups: of the usable ones, those of duplicates merged.
        by_label: usable clips.
        by_split: usable clips by their part of the official split; empty: in none.
        by_reason: clips that were left out.
        notes: what the reader says of the set as a whole.
        merged: groups that became one, because they hold the same recording.
        duplicates: pairs of usable clips that hold the same recording.
        left_out: each clip that can't be used, and why.
    """

    listed: int
    usable: int
    decoded_now: int
    seconds: float
    groups: int
    by_label: dict[str, int]
    by_split: dict[str, int]
    by_reason: dict[str, int]
    notes: list[str]
    merged: list[list[str]]
    duplicates: list[Pair]
    left_out: list[LeftOut]


def tell(report: Report, out: Path) -> None:
    """Print a report for people; `out` is the folder that it lies in."""
    print(
        f"{report.usable} of {report.listed} clips usable ({report.decoded_now} decoded now), "
        f"{report.seconds / 3600:.2f} h in {report.groups} groups in {out}"
    )
    print(f"  labels: {_listed(report.by_label)}")
    if set(report.by_split) - {""}:
        print(f"  official split: {_listed({name or 'in none': n for name, n in report.by_split.items()})}")
    if report.left_out:
        print(f"  {len(report.left_out)} left out: {_listed(report.by_reason)}")
    for reason in report.by_reason:
        _some(f"[{reason}] {item.detail}" for item in report.left_out if item.reason == reason)
    if report.duplicates:
        kinds = Counter(pair.kind for pair in report.duplicates)
        print(f"  {len(report.duplicates)} pairs of clips hold the same recording: {_listed(kinds)}")
        wrong = [pair for pair in report.duplicates if pair.contradicts]
        if wrong:
            print(f"  {len(wrong)} of them have two labels:")
        _some(f"{pair.a} is {pair.labels[0]}, {pair.b} is {pair.labels[1]}" for pair in wrong)
    if report.merged:
        print(f"  {sum(map(len, report.merged))} groups with such pairs became {len(report.merged)}:")
        _some(" + ".join(groups) for groups in report.merged)
    for note in report.notes:
        print(f"  note: {note}")
    print(f"  all of it in {out / 'report.json'}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _some(lines: Iterable[str]) -> None:
    """Print the first few lines, and how many more there are."""
    every = list(lines)
    for line in every[:EXAMPLES]:
        print(f"    {line}")
    if len(every) > EXAMPLES:
        print(f"    and {len(every) - EXAMPLES} more")
