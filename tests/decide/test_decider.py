"""What is said of a stream of windows: smoothed in seconds, held against flips, silent when it is silent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.decide.decider import Decider
from streamer.decide.smooth import Mean
from streamer.flow import Verdict, Window
from tests.tiny_model import DECISION, LABELS, contract

RATE = 16_000
JAZZ, METAL, SPEECH, NOISE = np.eye(4, dtype=np.float32) * 0.9 + 0.025


def window(position_s: float, level: float | None = -20.0) -> Window:
    return Window(np.zeros((118, 80), np.float32), round(position_s * RATE), False, level, level)


def play(pieces: list[tuple[float, np.ndarray | None]], hop_s: float = 0.5) -> list[Verdict]:
    """Play pieces of (seconds, probabilities or None for silence), beginning at 3 s."""
    decider, out, position = Decider(contract()), [], 3.0
    for seconds, probabilities in pieces:
        for _ in range(round(seconds / hop_s)):
            level = None if probabilities is None else -20.0
            out.append(decider.push(window(position, level), probabilities)[0])
            position += hop_s
    return out


def alone(probabilities: np.ndarray) -> np.ndarray:
    """Give what is published where nothing but these probabilities was heard."""
    return Mean(2.0).push(probabilities, 3.0)


def said(verdicts: list[Verdict]) -> list[str]:
    """Give the states and genres in order, repetitions left out."""
    names = [verdict.genre or verdict.state for verdict in verdicts]
    return [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]


def test_first_window_is_believed_at_once():
    assert play([(0.5, JAZZ)])[0].genre == "jazz"


def test_change_is_said_after_it_has_lasted():
    verdicts = play([(10, JAZZ), (10, METAL)])

    assert said(verdicts) == ["jazz", "metal"]
    began = next(v for v in verdicts if v.genre == "metal")
    assert 13.0 <= began.since_s <= began.position_s <= 18.0


def test_short_outlier_is_not_said():
    assert said(play([(10, JAZZ), (1.0, METAL), (10, JAZZ)])) == ["jazz"]


def test_silence_is_said_at_once_and_left_at_once():
    verdicts = play([(10, JAZZ), (4, None), (4, METAL)])

    assert verdicts[20].state == "silence"
    assert verdicts[20].probabilities is None
    assert verdicts[28].state == "unsure"


def test_what_follows_silence_is_judged_once_most_of_the_window_is_after_it():
    verdicts = play([(10, JAZZ), (4, None), (1, NOISE), (4, METAL)])

    assert said(verdicts) == ["jazz", "silence", "unsure", "metal"]
    assert next(v for v in verdicts if v.genre == "metal").position_s == 18.0


def test_new_title_begins_smoothing_anew():
    def smoothed_after(retitled: bool) -> float:
        decider = Decider(contract())
        decider.title("one", 0.0)
        for i in range(10):
            decider.push(window(3.0 + i), JAZZ)
        if retitled:
            decider.title("two", 12.0)
        verdict = [decider.push(window(13.0 + i), METAL)[0] for i in range(3)][-1]
        assert verdict.probabilities is not None
        return float(verdict.probabilities[1])

    assert smoothed_after(True) == pytest.approx(float(alone(METAL)[1]), abs=1e-6)
    assert smoothed_after(False) < smoothed_after(True) - 0.02


def test_speech_and_noise_are_states_and_no_genres():
    for probabilities, state in ((SPEECH, "speech"), (NOISE, "noise")):
        verdict = play([(5, probabilities)])[-1]
        assert (verdict.state, verdict.genre) == (state, None)


def test_undecided_is_unsure():
    flat = np.array([0.28, 0.28, 0.22, 0.22], np.float32)

    assert said(play([(10, flat)])) == ["unsure"]


def test_genres_together_outweigh_one_noise():
    many = np.array([0.35, 0.25, 0.0, 0.4], np.float32)

    assert play([(5, many)])[-1].genre == "jazz"


def test_confidence_is_the_probability_of_what_is_said():
    verdict = play([(20, JAZZ)])[-1]

    assert verdict.confidence == pytest.approx(float(alone(JAZZ)[0]), abs=1e-4)
    assert verdict.probabilities is not None
    assert verdict.probabilities.sum() == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), hops=st.tuples(st.sampled_from([0.1, 0.25]), st.sampled_from([0.5, 1.0])))
def test_what_is_said_does_not_depend_on_the_hop(seed, hops):
    """Where windows say the same, what is said each second is said within a second at the other hop too."""
    rng = np.random.default_rng(seed)
    ends = 3.0 + np.cumsum(rng.choice([1.0, 6.0, 12.0], 6))
    plays = np.array([JAZZ, METAL, SPEECH, NOISE])[rng.integers(4, size=6)]
    answers: list[dict[float, str]] = []
    for hop_s in hops:
        decider, heard = Decider(contract(), hop_s), {}
        for at in range(round((ends[-1] - 3.0) / hop_s) + 1):
            position_s = 3.0 + at * hop_s
            now = plays[np.searchsorted(ends, position_s - 1e-6)]
            verdict, _ = decider.push(window(position_s), now)
            heard[round(position_s, 3)] = verdict.genre or verdict.state
        answers.append(heard)

    fine, coarse = answers
    for position_s, answer in coarse.items():
        around = {name for at, name in fine.items() if abs(at - position_s) <= 1.0}
        assert answer in around, (position_s, answer, around)


def test_first_title_begins_smoothing_anew_too():
    decider = Decider(contract())
    for i in range(10):
        decider.push(window(3.0 + i), JAZZ)
    decider.title("one", 12.0)
    verdict = [decider.push(window(13.0 + i), METAL)[0] for i in range(3)][-1]

    assert verdict.probabilities is not None
    np.testing.assert_allclose(verdict.probabilities, alone(METAL), atol=1e-6)


def test_what_was_before_a_long_gap_is_forgotten():
    decider = Decider(contract())
    for i in range(10):
        decider.push(window(3.0 + i), JAZZ)
    verdict, _ = decider.push(window(3600.0), SPEECH)

    assert (verdict.state, verdict.since_s) == ("speech", 3600.0)
    np.testing.assert_allclose(verdict.probabilities, alone(SPEECH), atol=1e-6)


def test_what_is_said_stays_over_a_new_title_until_something_is_heard_of_it():
    decider = Decider(contract())
    decider.title("one", 0.0)
    for i in range(10):
        decider.push(window(3.0 + i), JAZZ)
    decider.title("two", 12.0)
    straddling, _ = decider.push(window(13.0), METAL)
    after = [decider.push(window(14.0 + i), METAL)[0].genre for i in range(3)]

    assert straddling.genre == "jazz"
    assert after[-1] == "metal"


def test_new_title_makes_a_change_quicker():
    def said_after(retitled: bool) -> float:
        decider = Decider(contract())
        decider.title("one", 0.0)
        for i in range(20):
            decider.push(window(3.0 + i / 2), JAZZ)
        if retitled:
            decider.title("two", 12.5)
        verdicts = [decider.push(window(13.0 + i / 2), METAL)[0] for i in range(20)]
        return next(verdict.position_s for verdict in verdicts if verdict.genre == "metal")

    assert said_after(True) < said_after(False)


def test_new_title_of_the_same_genre_changes_nothing():
    decider = Decider(contract())
    decider.title("one", 0.0)
    verdicts = [decider.push(window(3.0 + i), JAZZ)[0] for i in range(10)]
    decider.title("two", 12.0)
    verdicts += [decider.push(window(13.0 + i), JAZZ)[0] for i in range(10)]

    assert said(verdicts) == ["jazz"]
    assert verdicts[-1].since_s == 3.0


def test_genre_that_is_said_is_kept_below_where_it_is_first_said():
    faint = np.array([0.25, 0.25, 0.25, 0.25], np.float32)

    assert said(play([(5, JAZZ), (20, faint)])) == ["jazz"]
    assert said(play([(5, faint)])) == ["unsure"]


def test_speech_that_is_not_sure_enough_is_unsure():
    undecided = replace(contract(), decision=replace(DECISION, other_below=0.6))
    faint = np.array([0.2, 0.2, 0.55, 0.05], np.float32)

    assert Decider(contract()).push(window(3.0), faint)[0].state == "speech"
    assert Decider(undecided).push(window(3.0), faint)[0].state == "unsure"


def test_rivals_that_take_turns_leave_no_answer_that_nothing_leads_to():
    pop = [(0.5, (METAL, NOISE)[i // 3 % 2]) for i in range(80)]

    assert "jazz" not in said(play([(10, JAZZ), *pop])[60:])


def test_titled_track_is_judged_by_the_windows_inside_it():
    decider = Decider(contract())
    decider.title("before", 0.0)
    for i in range(10):
        decider.push(window(3.0 + i), JAZZ)
    ended = decider.title("after", 12.0)
    for i in range(10):
        decider.push(window(13.0 + i), METAL)
    last = decider.finish(22.0)

    assert ended is not None
    assert last is not None
    assert (ended.title, ended.genre, ended.windows, ended.end_s) == ("before", "jazz", 10, 12.0)
    assert (last.title, last.genre, last.start_s) == ("after", "metal", 12.0)
    assert sum(ended.shares.values()) == pytest.approx(1.0)
    # Windows that reach back into the track before are not this track's.
    assert last.probabilities is not None
    np.testing.assert_allclose(last.probabilities, METAL, atol=1e-6)


def test_repeated_title_is_the_same_track():
    decider = Decider(contract())
    decider.title("one", 0.0)
    decider.push(window(3.0), JAZZ)

    assert decider.title("one", 10.0) is None


def test_title_with_no_window_is_no_track():
    decider = Decider(contract())
    decider.title("one", 0.0)

    assert decider.title("two", 0.5) is None


def test_long_run_without_titles_is_a_track():
    decider, tracks = Decider(contract()), []
    for i in range(60):
        tracks.append(decider.push(window(3.0 + i), JAZZ)[1])
    for i in range(10):
        tracks.append(decider.push(window(63.0 + i), METAL)[1])

    (track,) = [track for track in tracks if track]
    assert (track.title, track.genre) == (None, "jazz")
    assert 58 <= track.end_s - track.start_s <= 66


def test_short_run_without_titles_is_none():
    decider = Decider(contract())
    tracks = [decider.push(window(3.0 + i), p)[1] for i, p in enumerate([JAZZ] * 10 + [METAL] * 10)]

    assert not any(tracks)


def test_track_of_speech_has_no_genre():
    decider = Decider(contract())
    decider.title("news", 0.0)
    for i in range(10):
        decider.push(window(4.0 + i), SPEECH)
    track = decider.finish(14.0)

    assert track is not None
    assert track.genre is None
    assert track.probabilities is None
    assert track.shares == {"speech": 1.0}


def test_labels_are_those_of_the_contract():
    assert contract().labels == LABELS


def test_deep_in_a_title_another_genre_needs_more_to_be_said():
    """Odds of 3 suffice for another genre (lead 2) unless a title has gone on for long (lead 4)."""
    rather_metal = np.array([0.2, 0.7, 0.05, 0.05], np.float32)

    def genres_after(titled: bool) -> list[str]:
        decider = Decider(contract())
        if titled:
            decider.title("one", 0.0)
        pieces = [JAZZ] * 20 + [rather_metal] * 20
        return said([decider.push(window(3.0 + i), p)[0] for i, p in enumerate(pieces)])

    assert genres_after(False) == ["jazz", "metal"]
    assert genres_after(True) == ["jazz"]


def test_music_odds_shift_what_is_called_music():
    mixed = np.array([0.5, 0.1, 0.4, 0.0], np.float32)
    strict = replace(contract(), decision=replace(DECISION, music_odds=3.0))

    assert Decider(contract()).push(window(3.0), mixed)[0].genre == "jazz"
    assert Decider(strict).push(window(3.0), mixed)[0].state == "speech"


def test_new_title_makes_another_genre_easier_to_say():
    """Odds of 3 don't suffice for another genre (lead 6), but do so where a title is new (lead 2)."""
    rather_metal = np.array([0.2, 0.7, 0.05, 0.05], np.float32)
    strict = replace(contract(), decision=replace(DECISION, lead=6.0, titled_lead=6.0))

    def genres_after(titled: bool) -> list[str]:
        decider = Decider(strict)
        verdicts = [decider.push(window(3.0 + i), JAZZ)[0] for i in range(10)]
        if titled:
            decider.title("two", 13.0)
        verdicts += [decider.push(window(13.0 + i), rather_metal)[0] for i in range(12)]
        return said(verdicts)

    assert genres_after(False) == ["jazz"]
    assert genres_after(True) == ["jazz", "metal"]
