"""Programmes of held-out clips, what is told over them, and the decision that is fitted on them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from msgspec.structs import replace

from streamer.contract import Decision
from streamer.model.session import Model
from tests.training.fixtures import command
from training.checkpoint import RunState
from training.compare import at_delay, front
from training.errors import DataError, RunError
from training.heard import Heard
from training.programmes import Piece, Programme, lay_out, render, windows
from training.recipe import read_recipe
from training.replay import SILENT, UNSURE, replay, right_answers, say_many
from training.store import Entry, PreparedSet
from training.streaming import count

pytestmark = [pytest.mark.training, pytest.mark.slow]

LABELS = ("noise", "pop", "rock", "speech")
RATE, HOP = 16_000, 400
Laid: TypeAlias = tuple[Programme, PreparedSet]


@pytest.fixture(scope="module")
def programme(prepared: Path) -> Laid:
    """The corpus as a programme of tracks of two clips each."""
    opened = PreparedSet(prepared)
    return lay_out(opened.clips, ("noise",), opened.front_end, shortest_s=5.0, seed=1), opened


def test_pieces_follow_one_another_and_use_each_clip_once(programme: Laid) -> None:
    laid, prepared = programme
    pieces = laid.pieces
    used = [clip.id for piece in pieces for clip in piece.clips]

    assert pieces[0].start == 0
    assert all(one.stop == other.start for one, other in pairwise(pieces))
    assert sorted(used) == sorted(clip.id for clip in prepared.clips)
    assert all({clip.group for clip in piece.clips} == {piece.group} for piece in pieces if piece.clips)
    assert all(sum(clip.frames for clip in p.clips) == p.stop - p.start for p in pieces if p.clips)
    assert any(not piece.clips for piece in pieces)


def test_same_seed_same_programme(programme: Laid) -> None:
    laid, prepared = programme

    assert lay_out(prepared.clips, ("noise",), prepared.front_end, shortest_s=5.0, seed=1) == laid
    assert lay_out(prepared.clips, ("noise",), prepared.front_end, shortest_s=5.0, seed=2) != laid


def test_window_at_a_boundary_holds_both_pieces_and_positions_are_exact(
    programme: tuple[Programme, PreparedSet],
) -> None:
    laid, prepared = programme
    front = prepared.front_end
    whole = np.concatenate([render(piece, prepared)[0] for piece in laid.pieces])
    given = [window for batch in windows(laid, prepared, hop=20) for window in batch]

    assert len(given) == (len(whole) - front.n_frames) // 20 + 1
    for window in given[:: len(given) // 25]:
        last = (window.end - front.n_fft) // front.hop_length  # index of the window's last frame
        np.testing.assert_array_equal(window.frames, whole[last + 1 - front.n_frames : last + 1])


def test_groups_that_are_too_short_are_counted(programme: Laid) -> None:
    _, prepared = programme
    with pytest.raises(DataError, match="too few"):
        lay_out(prepared.clips, ("noise",), prepared.front_end, shortest_s=60.0, seed=1)
    one_short = [
        replace(clip, frames=50) if clip.id == prepared.clips[0].id else clip for clip in prepared.clips
    ]
    laid = lay_out(one_short, ("noise",), prepared.front_end, shortest_s=5.0, seed=1)

    assert laid.left_out["clips shorter than a window"] == 1
    assert laid.left_out["clips of groups too short for a piece, or beyond its share"] == 1


def heard_of(plan: list[tuple[str, int]], seed: int = 0) -> tuple[Heard, np.ndarray]:
    """Give what a made-up run hears of (label, windows) pieces at 1 s, and its noisy probabilities."""
    state = RunState(
        recipe=replace(read_recipe("smoke"), not_music=("noise", "speech")),
        seed=1,
        commit="",
        labels=list(LABELS),
        fold=0,
        folds=2,
        split_seed=1,
        train_groups=[],
        held_out=[],
        dev=[],
    )
    random = np.random.default_rng(seed)
    laid, piece, at = [], [], 0
    for number, (label, count_) in enumerate(plan):
        laid.append((label, at, at + 40 * count_))
        piece += [number] * count_
        at += 40 * count_
    pieces = [_piece(label, start, stop) for label, start, stop in laid]
    piece = np.array(piece)
    target = np.array([-1 if p.label == "silence" else LABELS.index(p.label) for p in pieces])[piece]
    ends = (np.arange(len(piece)) + 1) * RATE
    logits = random.normal(0, 1, (len(piece), 4)) + 2.5 * np.where(target >= 0, np.eye(4)[target].T, 0).T
    powers = np.exp(logits)
    heard = Heard(
        state=state,
        programme=Programme(pieces),
        bounds=np.array([p.start for p in pieces] + [pieces[-1].stop]) * HOP / RATE,
        ends=ends,
        position_s=ends / RATE,
        recent_dbfs=np.where(target < 0, -np.inf, -20.0),
        logits=logits.astype(np.float32),
        piece=piece,
        inside=np.ones(len(piece), bool),
        target=target,
        recognisable=np.ones(len(pieces), bool),
    )
    return heard, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _piece(label: str, start: int, stop: int) -> Piece:
    clip = Entry(id=label, label=label, group=label, licence="", file="", frames=stop - start)
    return Piece(label, label, () if label == "silence" else (clip,), start, stop)


PLAN = [("pop", 20), ("speech", 8), ("silence", 4), ("rock", 25), ("pop", 15), ("noise", 9), ("rock", 20)]
DECISIONS = [
    Decision(),
    Decision(half_life_s=1.0, lead=2.0, keep_above=0.3, unsure_below=0.5, boundary_keeps=0.0),
    Decision(half_life_s=4.0, lead=1.0, kind_lead=4.0, music_odds=8.0, other_below=0.7, titled_lead=1.0),
]


@pytest.mark.parametrize("titles", [False, True])
def test_many_decisions_at_once_say_what_the_decider_says(titles: bool) -> None:
    for seed in range(5):
        heard, probabilities = heard_of(PLAN, seed)
        together = say_many(heard, probabilities, DECISIONS, titles=titles)
        for decision, said in zip(DECISIONS, together, strict=True):
            told = replay(heard, probabilities, decision, titles=titles)
            np.testing.assert_array_equal(said, told.said)


def test_perfect_answers_have_no_flips_and_no_delay() -> None:
    heard, _ = heard_of(PLAN)
    counts = count(heard, right_answers(heard))

    assert counts.flips == 0
    assert [round(time, 3) for time, _, _ in counts.to_correct] == [1.0] * 6
    assert counts.kinds[0, 0] == counts.kinds[0, 6] > 0


def test_each_kind_of_false_flip_counts_once() -> None:
    heard, _ = heard_of([("pop", 40)])
    said = right_answers(heard)
    rock = LABELS.index("rock")
    said[10:12] = rock  # from the right answer to a wrong one, and back
    said[20:22] = UNSURE  # from the right answer to unsure, and back
    said[30:31] = SILENT  # a pause is measured

    assert count(heard, said).flips == 2
    assert count(heard, np.full(40, rock)).flips == 0  # wrong from the first answer on: no flip
    assert count(heard, np.full(40, rock)).to_correct == [(np.inf, 0, True)]


def test_front_holds_what_nothing_beats_and_is_read_between_points() -> None:
    points = [{"delay_s": d, "flips": f} for d, f in [(4.0, 1.0), (5.0, 2.0), (8.0, 0.2), (9.0, 0.5)]]
    points.append({"delay_s": None, "flips": 0.0})

    assert front(points) == [(4.0, 1.0), (8.0, 0.2)]
    assert at_delay(points, 6.0) == pytest.approx(0.6)
    assert at_delay(points, 3.0) is None


@pytest.fixture(scope="module")
def tuned(run_of_fold: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decision that the run of fold 0 gives, by the command."""
    out = tmp_path_factory.mktemp("tuned") / "tune.json"
    done = command(
        "training", "tune", run_of_fold, "--data", prepared, "--out", out, "--shortest", 5, "--settings", 20
    )
    assert done.status == 0, done.err
    assert "false flips" in done.out
    return out


def test_tune_tells_its_figures_and_how_they_were_made(tuned: Path) -> None:
    found = json.loads(tuned.read_text())

    assert set(found) == {"decision", "figures", "single_windows", "comparison", "how"}
    for figures in found["figures"].values():
        assert figures["said"]["silence"]["a genre"] == 0.0
        assert 0 <= figures["coverage_at_80_percent_precision"] <= 1
        assert figures["time_to_correct_s"]["all music"]["boundaries"] > 0
    assert "flattering" in found["how"]["reported"]
    assert found["how"]["folds"] == [0]
    assert tuned.with_name("tradeoff.png").read_bytes().startswith(b"\x89PNG")


def test_model_file_takes_the_tuned_decision(tuned: Path, run_of_fold: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    done = command("export", "convert", run_of_fold, out, "--decision", tuned)

    assert done.status == 0, done.err
    assert Model.load(out).contract.decision == Decision(**json.loads(tuned.read_text())["decision"])


def test_file_that_holds_no_decision_is_refused(run_of_fold: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    done = command("export", "convert", run_of_fold, tmp_path / "m.onnx", "--decision", tmp_path / "no.json")

    assert done.status == RunError.exit_status
    assert "no tuning" in done.err
    assert not (tmp_path / "m.onnx").exists()


def test_fold_that_is_there_twice_is_refused(run_of_fold: Path, prepared: Path, tmp_path: Path) -> None:
    done = command(
        "training",
        "tune",
        run_of_fold,
        run_of_fold,
        "--data",
        prepared,
        "--out",
        tmp_path / "t.json",
        "--shortest",
        5,
    )

    assert done.status == RunError.exit_status
    assert "twice" in done.err
