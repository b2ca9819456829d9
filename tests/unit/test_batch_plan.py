"""A batch with very many faults is not read to its end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.openai.batch_plan import BatchForm, BatchPlan
from winepress.gateway.openai.batch_record import MOST_FAULTS
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings

_MOST = 50  #: stands for a hundred thousand


@pytest.mark.parametrize(
    ("form", "line"), [("prompts", "--nothing x"), ("prompts", "--x"), ("jsonl", "{")]
)
def test_a_file_of_faults_is_read_as_far_as_one_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, line: str
) -> None:
    """A million would keep a gateway busy for minutes; the last fault says where reading ended."""
    monkeypatch.setattr("winepress.gateway.openai.batch_plan.MAX_ITEMS", _MOST)
    path = tmp_path / "items"
    path.write_text(f"{line}\n" * (MOST_FAULTS + 2 * _MOST))
    client = cast("Client", SimpleNamespace(settings=Settings(), catalogue=Catalogue.load()))
    caller = Caller("ada", frozenset())
    plan = BatchPlan(client, caller, BatchForm(form), lambda file_id: b"")
    plan.read(path)
    assert (len(plan.faults), plan.more_faults) == (MOST_FAULTS + 1, _MOST)
    assert plan.lines == MOST_FAULTS + _MOST
    assert f"line {MOST_FAULTS + _MOST}: too many lines have faults" in plan.faults[-1].message
