"""What the tests of foreign clients share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.running_gateway import RunningGateway

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The gateway of a farm that draws without a model."""
    options = FarmOptions(state=tmp_path_factory.mktemp("farm"), flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as one:
        yield one
