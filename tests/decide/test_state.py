"""Who leads: music as a whole against speech and noise, then genre against genre."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.decide.state import Answer, Labels
from tests.tiny_model import DECISION, LABELS, contract

rows = st.lists(st.floats(0.0, 1.0, width=32), min_size=len(LABELS), max_size=len(LABELS))


@given(row=rows, music_odds=st.sampled_from([0.25, 1.0, 4.0]))
def test_speech_or_noise_leads_only_where_it_outweighs_all_genres_together(row, music_odds):
    labels = Labels(replace(contract(), decision=replace(DECISION, music_odds=music_odds)))
    p = np.array(row, np.float32)
    others = int(p[2:].argmax()) + 2

    leader = labels.leader(p)

    assert leader == (others if p[others] > float(p[:2].sum()) / music_odds else int(p[:2].argmax()))


def test_first_of_equals_leads():
    assert Labels(contract()).leader(np.full(4, 0.25, np.float32)) == 0


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0)])
def test_labels_may_stand_in_any_order(order):
    labels = Labels(replace(contract(), labels=tuple(LABELS[at] for at in order)))
    p = np.array([0.1, 0.3, 0.5, 0.1], np.float32)[list(order)]

    assert labels.answer(p) == Answer("speech")
    assert labels.genre(p) == ("metal", pytest.approx(0.3))


def test_model_of_genres_alone_says_genres():
    labels = Labels(replace(contract(), not_music=()))

    assert labels.answer(np.array([0.1, 0.1, 0.2, 0.6], np.float32)) == Answer("music", "noise")
