import numpy as np
import pytest

from . import studies


@pytest.fixture(scope="session")
def truth():
    return np.random.RandomState(9).randint(0, studies.LABELS, 50)
