"""What `oneseat.testing` offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oneseat import testing


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    assert dir(testing) == sorted(testing.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    misspelt = "Simulater"
    with pytest.raises(AttributeError) as caught:
        getattr(testing, misspelt)
    assert str(caught.value) == "module `oneseat.testing` has no attribute `Simulater`"


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    program = "import oneseat.testing, sys; print({'asyncio', 'h11', 'subprocess', 'oneseat.testing.simulator'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
