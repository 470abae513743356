"""Which network a recipe asks for."""

from training.net import GenreNet
from training.recipe import NetRecipe
from training.tagger import TaggerNet

Net = GenreNet | TaggerNet


def make_net(recipe: NetRecipe, *, n_labels: int) -> Net:
    """Give a network with random weights."""
    kind = TaggerNet if recipe.teacher else GenreNet
    return kind(recipe, n_labels=n_labels)
