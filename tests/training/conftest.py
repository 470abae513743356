"""The fixtures of `tests.training.fixtures` and `tests.training.trees`, for the tests of this room."""

from tests.training.fixtures import corpus, prepared, run_of_fold
from tests.training.trees import fma_tree, gtzan_tree, short_recipe

__all__ = ["corpus", "fma_tree", "gtzan_tree", "prepared", "run_of_fold", "short_recipe"]
