"""Figures with answers that can be worked out by hand."""

import numpy as np
import pytest

from training import metrics

pytestmark = pytest.mark.training


def test_interval_is_wider_over_groups_than_over_clips() -> None:
    random = np.random.default_rng(1)
    hits = np.repeat(random.integers(0, 2, 20), 10).astype(float)

    by_group = metrics.interval_over_groups(hits, [str(i // 10) for i in range(200)])
    by_clip = metrics.interval_over_groups(hits, [str(i) for i in range(200)])

    assert by_group[1] - by_group[0] > 2 * (by_clip[1] - by_clip[0])


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    groups = [str(i // 2) for i in range(80)]
    covered = 0
    for _ in range(100):
        low, high = metrics.interval_over_groups((random.random(80) < 0.6).astype(float), groups)
        covered += low <= 0.6 <= high

    assert covered >= 88


def test_paired_interval_of_the_same_answers_is_nothing_wide() -> None:
    hits = (np.arange(60) % 3 > 0).astype(float)
    groups = [str(i // 4) for i in range(60)]

    assert metrics.interval_over_groups(hits - hits, groups) == (0.0, 0.0)


def test_balanced_interval_lets_every_label_weigh_the_same() -> None:
    targets = np.repeat([0, 1], [90, 10])
    hits = (targets == 0).astype(float)
    groups = [str(i) for i in range(100)]

    assert metrics.balanced_interval(hits, targets, groups) == pytest.approx((0.5, 0.5), abs=1e-9)


def test_calibration_error_of_known_cases() -> None:
    sure = np.tile([0.9, 0.1], (100, 1))
    right = np.where(np.arange(100) < 90, 0, 1)

    assert metrics.calibration_error(sure, right, np.ones(100)) == pytest.approx(0.0, abs=1e-9)
    assert metrics.calibration_error(sure, np.ones(100, int), np.ones(100)) == pytest.approx(0.9)


def test_reliability_weighs_what_it_is_told() -> None:
    sure = np.tile([0.8, 0.2], (4, 1))

    found = metrics.reliability(sure, np.array([0, 1, 1, 1]), np.array([3.0, 1.0, 1.0, 1.0]))

    filled = found.weight > 0
    assert found.right[filled] == pytest.approx([0.5])
    assert found.confidence[filled] == pytest.approx([0.8])
    assert found.error == pytest.approx(0.3)


def test_precision_and_recall_of_a_known_matrix() -> None:
    counts = np.array([[3, 1, 0], [1, 1, 0], [2, 0, 0]])

    assert metrics.recall(counts) == pytest.approx([0.75, 0.5, 0.0])
    assert metrics.precision(counts) == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert metrics.f1(counts) == pytest.approx([0.6, 0.5, 0.0])


def test_risk_against_coverage_of_a_known_case() -> None:
    found = metrics.risk_coverage(np.array([0.9, 0.6, 0.8, 0.7]), np.array([True, False, True, True]))

    assert found.coverage == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found.risk == pytest.approx([0, 0, 0, 0.25])
    assert found.area == pytest.approx(0.25 / 4)
    assert found.coverage_at(0.8) == pytest.approx(0.75)
    assert found.coverage_at(0.75) == pytest.approx(1.0)


def test_risk_against_coverage_does_not_depend_on_the_order_of_equals() -> None:
    confidence = np.array([0.5, 0.5, 0.5, 0.9])

    found = metrics.risk_coverage(confidence, np.array([True, False, False, True]))
    turned = metrics.risk_coverage(confidence[::-1], np.array([True, False, False, True])[::-1])

    assert found.area == pytest.approx(turned.area) == pytest.approx(0.5 * 0.75)
    assert found.coverage_at(0.8) == pytest.approx(0.25)


def test_coverage_is_none_where_nothing_is_right() -> None:
    assert metrics.risk_coverage(np.array([0.9, 0.8]), np.array([False, False])).coverage_at(0.8) == 0.0


def test_auroc_counts_ties_half() -> None:
    assert metrics.auroc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert metrics.auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5
    assert metrics.auroc(np.array([0.1, 0.7]), np.array([0.4])) == 0.5
