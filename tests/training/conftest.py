"""The fixtures of `tests.training.fixtures`, for the tests of this room."""

from tests.training.fixtures import corpus, prepared, run_of_fold

__all__ = ["corpus", "prepared", "run_of_fold"]
