"""What is said where no connection with a Ray cluster comes about."""

import pytest
import ray

from streamer.errors import ClusterError
from streamer.on_ray import SAME, START, connected

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.1.0
    Python: 3.11.7
This process on 10.0.0.1 was started with:
    Ray: 2.2.0
    Python: 3.11.7
"""


@pytest.mark.parametrize(
    ("says", "told", "remedy"),
    [
        (MISMATCH, "Ray: 2.1.0 Python: 3.11.7 This process on 10.0.0.1 was started with: Ray: 2.2.0", SAME),
        (
            "Invalid address format: x\nand more",
            "no Ray cluster answers at 'x': Invalid address format",
            START,
        ),
    ],
)
def test_why_there_is_none_is_told_in_a_line(
    says: str, told: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(*_: object, **options: object) -> None:
        raise RuntimeError(says)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ClusterError) as raised, connected("x"):
        pass
    assert told in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.remedy == remedy
