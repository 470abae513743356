"""Speech that is laid over music is of a speaker that no run asked about it has heard."""

from pathlib import Path

import pytest

from tests.training.made_up import answers_of
from training.robustness import pair_with_speech

pytestmark = pytest.mark.training


def test_speech_over_music_is_of_a_speaker_held_out_with_it(tmp_path: Path) -> None:
    runs = [answers_of(fold=k, split_seed=s) for s in (1, 2) for k in (0, 1)]
    clips = runs[0].clips + runs[1].clips
    for clip in clips:
        (tmp_path / clip.id).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / clip.id).touch()

    asked = {clip.id: [i for i, run in enumerate(runs) if clip.id in run.state.held_out] for clip in clips}
    tasks = pair_with_speech(clips, asked, runs, tmp_path)

    for task in tasks:
        clip = clips[task.at]
        assert (task.speech is None) == (clip.label in ("noise", "speech"))
        for run in (runs[i] for i in asked[clip.id] if task.speech):
            assert str(task.speech.relative_to(tmp_path)) in run.state.held_out
