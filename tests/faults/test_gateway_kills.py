"""A gateway that is killed: clients that try again lose nothing and order nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.patient_submitters import submit_while_gateway_is_killed

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions


@pytest.mark.slow
def test_submitters_survive_two_kills_of_the_gateway(tmp_path: Path) -> None:
    """Every job is there exactly once; `bench_gateway.py kills` does it with ten thousand."""
    options = FarmOptions(state=tmp_path, workers=0, flower=False, gateway=True)
    with Farm(options) as farm:
        submit_while_gateway_is_killed(farm, submitters=15, each=12)
