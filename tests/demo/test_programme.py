"""What the station plays: made from a seed alone, in range, as long as it says."""

import time

import numpy as np
import pytest

from streamer.demo.programme import PROGRAMME, Piece, nothing, render, titles
from streamer.demo.synth import RATE, length

pytestmark = pytest.mark.slow  # a minute of music is made several times

SOUNDING = [piece for piece in PROGRAMME if piece.render is not nothing]


@pytest.fixture(scope="module")
def programme() -> np.ndarray:
    return render(PROGRAMME, seed=1)


def cut(programme: np.ndarray, number: int) -> np.ndarray:
    start = sum(length(piece.seconds) for piece in PROGRAMME[:number])
    return programme[start : start + length(PROGRAMME[number].seconds)]


def test_the_same_seed_gives_the_same_programme(programme: np.ndarray) -> None:
    again = render(PROGRAMME, seed=1)

    np.testing.assert_array_equal(again, programme)


def test_another_seed_gives_other_sounds() -> None:
    piece = (SOUNDING[0],)

    assert not np.array_equal(render(piece, seed=1), render(piece, seed=2))


def test_a_piece_does_not_change_when_another_one_does() -> None:
    one, two = SOUNDING[:2]

    with_silence = render((Piece("other", 1.0, nothing), two), seed=3)
    with_music = render((Piece("other", 1.0, one.render), two), seed=3)

    np.testing.assert_array_equal(with_silence[length(1.0) :], with_music[length(1.0) :])


def test_every_sample_is_in_range(programme: np.ndarray) -> None:
    assert programme.dtype == np.float32
    assert np.isfinite(programme).all()
    assert np.abs(programme).max() <= 1.0


def test_the_length_is_what_the_pieces_say(programme: np.ndarray) -> None:
    assert programme.shape == (sum(length(piece.seconds) for piece in PROGRAMME), 2)
    assert 45 * RATE < len(programme) < 60 * RATE  # about a minute, with the start of the daemon


@pytest.mark.parametrize("number", range(len(PROGRAMME)))
def test_each_piece_sounds_throughout_or_is_digital_silence(programme: np.ndarray, number: int) -> None:
    part = cut(programme, number)

    if PROGRAMME[number].render is nothing:
        assert not part.any()
    else:
        seconds = part[: len(part) // RATE * RATE].reshape(-1, RATE * 2)
        levels = 10 * np.log10(np.square(seconds, dtype=np.float64).mean(axis=1) + 1e-12)
        assert levels.min() > -40.0, f"level of each second in dBFS: {levels.round(1)}"


@pytest.mark.parametrize("piece", SOUNDING, ids=lambda piece: piece.title)
@pytest.mark.parametrize("seconds", [0.3, 12.0])
def test_a_piece_can_have_any_length(piece: Piece, seconds: float) -> None:
    sound = piece.render(np.random.default_rng(0), seconds)

    assert sound.shape == (length(seconds), 2)


def test_silence_is_there_long_enough_to_be_told() -> None:
    assert [piece.seconds >= 4.0 for piece in PROGRAMME if piece.render is nothing] == [True]


def test_titles_begin_with_their_pieces_and_tell_nothing() -> None:
    entries = titles(PROGRAMME)

    assert entries[0][0] == 0.0
    assert [start for start, _ in entries[1:]] == list(np.cumsum([p.seconds for p in PROGRAMME[:-1]]))
    assert len({title for _, title in entries}) == len(PROGRAMME)


def test_a_minute_is_made_within_seconds() -> None:
    start = time.process_time()
    render(PROGRAMME, seed=2)
    took = time.process_time() - start

    assert took < 10.0, f"{took:.1f} s"  # 2 s on a quiet core; the bound is for a crowded one
