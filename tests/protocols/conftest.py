"""What the tests of this folder share."""

from pathlib import Path

import pytest

from tests import results


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder that all tests share."""
    return results.shared(tmp_path_factory)
