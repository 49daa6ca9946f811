"""A stand-in that the tests of one file share."""

import pytest

from tests.server import toys


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """A folder of versions, which has version 3."""
    base = tmp_path_factory.mktemp("export")
    toys.publish(base, 3)
    return base


@pytest.fixture(scope="module")
def server(export):
    """A stand-in with that version, which is called `stable`."""
    with toys.running(export, labels={"stable": 3, "gone": 2}) as running:
        yield running
