"""A worker is not started on a device the machine does not have."""

from __future__ import annotations

import pytest

from winepress_shared.errors import WrongUsage
from winepress_worker.device_name import DeviceName
from winepress_worker.parent.device_presence import check_device_presence


@pytest.mark.parametrize("device", ["CPU", "AUTO", "AUTO:CPU", "NPU=CPU"])
def test_a_device_that_is_there_is_accepted(device: str) -> None:
    """Every machine OpenVINO runs on has a CPU."""
    check_device_presence(DeviceName.parse(device).parts)


@pytest.mark.parametrize("device", ["GPU.7", "AUTO:CPU,GPU.7"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device: str) -> None:
    """The message names the missing one, and what to use instead."""
    with pytest.raises(WrongUsage, match=r"no such device.*GPU\.7.*CPU"):
        check_device_presence(DeviceName.parse(device).parts)
