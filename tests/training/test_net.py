"""What the network promises by construction: level is not heard, overlap is shared."""

import numpy as np
import pytest
import torch

from streamer.signal.mel import MelStream
from training.augment import Augment, mixup
from training.net import GenreNet, OverTime
from training.recipe import read_recipe

pytestmark = pytest.mark.training

RECIPE = read_recipe("base")
FRONT, STRIDE = RECIPE.front_end, RECIPE.net.stride
CHANGES = read_recipe("plain").augment


@pytest.fixture
def net() -> GenreNet:
    torch.manual_seed(0)
    net = GenreNet(RECIPE.net, n_labels=14)
    net(torch.randn(16, FRONT.n_frames, FRONT.n_mels))  # batch norms see something
    return net.eval()


def test_gain_is_not_heard(net: GenreNet) -> None:
    samples = 0.1 * np.random.default_rng(1).standard_normal(FRONT.window_samples).astype(np.float32)
    loud, quiet = (MelStream(FRONT).push(samples * gain)[0] for gain in (1.0, 10 ** (-35 / 20)))

    with torch.inference_mode():
        difference = (net(torch.from_numpy(loud[None])) - net(torch.from_numpy(quiet[None]))).abs().max()

    assert difference < 1e-2, difference


def test_windows_that_overlap_share_their_features(net: GenreNet) -> None:
    shift = round(0.25 / FRONT.frame_s)
    frames = torch.randn(1, FRONT.n_frames + shift, FRONT.n_mels)

    with torch.inference_mode():
        first, second = (
            net.trunk(net.found(part)) for part in (frames[:, : FRONT.n_frames], frames[:, shift:])
        )

    steps = shift // STRIDE
    torch.testing.assert_close(first[:, steps:], second[:, :-steps], atol=1e-5, rtol=0)


def test_hop_of_a_quarter_second_is_whole_steps() -> None:
    step_s = STRIDE * FRONT.frame_s

    assert (0.25 / step_s) == round(0.25 / step_s)


def test_layer_over_time_is_a_convolution() -> None:
    layer = OverTime(5, 7)
    x = torch.randn(2, 11, 5)

    expected = torch.nn.functional.conv1d(x.transpose(1, 2), layer.weight.permute(2, 1, 0), layer.bias)

    torch.testing.assert_close(layer(x), expected.transpose(1, 2))


def test_frozen_filters_learn_nothing(net: GenreNet) -> None:
    net.train()
    net(torch.randn(4, FRONT.n_frames, FRONT.n_mels)).sum().backward()

    assert all(parameter.grad is None for parameter in net.filters.parameters())
    assert net.trunk.layers[0].conv.weight.grad is not None


def test_augmented_silence_stays_silence() -> None:
    floor = torch.log(torch.tensor(FRONT.log_offset))
    frames = floor.expand(8, FRONT.n_frames, FRONT.n_mels)

    changed = Augment(CHANGES, FRONT)(frames, torch.Generator().manual_seed(1))

    assert (changed - floor).abs().max() < 0.5  # 2 dB: what is taken for a floor is a thousandth of it off


def test_augmentation_is_seeded_and_keeps_the_shape() -> None:
    frames = torch.randn(8, FRONT.n_frames, FRONT.n_mels)
    augment = Augment(CHANGES, FRONT)

    first = augment(frames, torch.Generator().manual_seed(1))
    again = augment(frames, torch.Generator().manual_seed(1))
    other = augment(frames, torch.Generator().manual_seed(2))

    assert first.shape == frames.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_mixed_targets_sum_to_one() -> None:
    targets = torch.eye(14)[:8]

    _, mixed = mixup(torch.randn(8, 5, 4), targets, 1.0, torch.Generator().manual_seed(1))

    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(8))
    assert torch.equal(mixed.argmax(dim=1), targets.argmax(dim=1))
