"""What training and export can tell a user: the same kind of error as the streamer's."""

from streamer.errors import GenrecastError


class DataError(GenrecastError):
    """A manifest, a data set folder or a prepared set can't be used."""

    code = "training-data"
    exit_status = 20


class RecipeError(GenrecastError):
    """A recipe is malformed, says something unknown, or contradicts itself or the data."""

    code = "training-recipe"
    exit_status = 21


class SplitError(GenrecastError):
    """A split is impossible, or has one group on both sides."""

    code = "training-split"
    exit_status = 22


class RunError(GenrecastError):
    """A training run or a checkpoint can't be read, continued, evaluated or exported."""

    code = "training-run"
    exit_status = 23
