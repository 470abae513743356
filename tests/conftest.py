"""What holds for all tests: where nobody looks at the reasons for skips, a lack is a failure."""

import os
from collections.abc import Generator

import pytest

MUST_RUN = ("system", "training")  # these skip where their servers or torch are missing


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test that must run a failed one under CI=true; its reason stays."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and any(map(item.get_closest_marker, MUST_RUN)):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI doesn't allow here: {report.longrepr}"
    return report
