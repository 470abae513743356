"""A sweep's settings are the recipe with values of the right kind in their places, in every combination."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import RecipeError
from training.recipe import read_recipe
from training.settings import settings_of

pytestmark = pytest.mark.training

RECIPE = read_recipe("smoke")


def test_without_a_sweep_there_is_the_recipe_alone() -> None:
    (setting,) = settings_of(RECIPE, [])

    assert setting.recipe == RECIPE
    assert setting.name == ""


@given(
    rates=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=4, unique=True),
    batches=st.lists(st.integers(2, 512), min_size=1, max_size=4, unique=True),
)
def test_every_combination_is_there_once(rates: list[float], batches: list[int]) -> None:
    sweep = [f"fit.rate={','.join(map(str, rates))}", f"fit.batch={','.join(map(str, batches))}"]

    settings = settings_of(RECIPE, sweep)

    assert {(s.recipe.fit.rate, s.recipe.fit.batch) for s in settings} == {
        (rate, batch) for rate in rates for batch in batches
    }
    assert len({setting.name for setting in settings}) == len(settings) == len(rates) * len(batches)


def test_nothing_else_is_changed() -> None:
    (setting,) = settings_of(RECIPE, ["augment.masks=3"])

    fewer = msgspec.structs.replace(setting.recipe.augment, masks=RECIPE.augment.masks)
    assert msgspec.structs.replace(setting.recipe, augment=fewer) == RECIPE
    assert setting.recipe.augment.masks == 3


def test_name_is_the_same_however_a_setting_is_written() -> None:
    (one,) = settings_of(RECIPE, ["fit.rate=1e-2", "net.frozen_filters=true"])
    (other,) = settings_of(RECIPE, ["net.frozen_filters=1", "fit.rate=0.010"])

    assert one.name == other.name == "fit.rate=0.01,net.frozen_filters=true"


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        (["fit.rat=0.1"], "'fit.rat' is unknown"),
        (["fit=0.1"], "'fit' is unknown"),
        (["rate=0.1"], "'rate' can't be tried"),
        (["decision.track_s=1,2"], "'decision.track_s' can't be tried"),
        (["distil.tags=1"], r"no \[distil\] table"),
        (["fit.rate=fast"], "'fit.rate' can't be 'fast': Expected `float`"),
        (["fit.batch=1.5"], "'fit.batch' can't be '1.5'"),
        (["fit.optimiser=adam"], "'fit.optimiser' can't be 'adam'"),
        (["net.filters=8"], "'net.filters' can't be '8'"),
        (["fit.rate"], "'fit.rate' can't be ''"),
        (["fit.rate=0.1,"], "'fit.rate' can't be ''"),
        (["fit.rate=0.1,0.10"], "has a value twice"),
        (["fit.rate=0.1", "fit.rate=0.2"], "'fit.rate' is there twice"),
        (["fit.rate=-1"], "'fit.rate' is out of range"),
    ],
)
def test_mistake_is_refused_by_name(sweep: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        settings_of(RECIPE, sweep)
