"""What becomes of the settings of a farm's last run."""

from __future__ import annotations

from pathlib import Path

import pytest

from winepress_deploy import ports
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.roles import Role
from winepress_deploy.settings_file import lost_settings, user_settings, write_settings
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import FarmUnreachable, WrongUsage
from winepress_shared.settings import Settings


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder in use for the first time."""
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


def _farm_of_an_earlier_run(state: StateFolder, **settings: object) -> None:
    for role in Role:
        write_settings(
            state.settings_of(role),
            Settings.checked({"broker_url": "redis://127.0.0.1:1/0", **settings}),
        )


def test_settings_beside_up_count_in_a_shell_that_uses_the_farm(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`WINEPRESS_CONFIG` names the farm there, and the user's own file is in the working folder."""
    _farm_of_an_earlier_run(state)
    monkeypatch.chdir(tmp_path)
    environ = {"WINEPRESS_CONFIG": str(state.settings)}
    assert not user_settings(state.settings, environ).model_fields_set
    (tmp_path / "winepress.toml").write_text('webhook_allow = ["127.0.0.1"]\n', "utf-8")
    assert user_settings(state.settings, environ).webhook_allow == ("127.0.0.1",)
    monkeypatch.chdir(state.path)
    assert not user_settings(state.settings, environ).model_fields_set
    assert not user_settings(state.settings, {}).model_fields_set


def test_up_names_the_settings_of_the_last_run_that_are_no_longer_set(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from another folder, a farm does not drop them silently."""
    _farm_of_an_earlier_run(
        state, webhook_allow=["127.0.0.1"], model_aliases={"a": "vignette"}, user="ann"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINEPRESS_CONFIG", str(state.settings))
    monkeypatch.setenv("WINEPRESS_USER", "bob")
    monkeypatch.setattr(ports, "choose", lambda *_: (_ for _ in ()).throw(OSError("no port")))
    said: list[str] = []
    with pytest.raises(FarmUnreachable, match="no port"):
        Farm(FarmOptions(state=state.path), said.append).__enter__()
    (line,) = said
    assert line.startswith("no longer set: model_aliases, webhook_allow; ")
    assert "winepress.toml" in line


@pytest.mark.parametrize(
    "held", [{"require_keys": True}, {"public_url": "https://pictures.example"}]
)
def test_up_does_not_start_a_gateway_without_the_keys_it_asked_for(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: dict[str, object]
) -> None:
    """Unless the settings name it again, or say that no keys are wanted."""
    _farm_of_an_earlier_run(state, **held)
    (name,) = held
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINEPRESS_CONFIG", raising=False)
    with pytest.raises(WrongUsage, match=rf"{name}.*require_keys = false"):
        Farm(FarmOptions(state=state.path)).__enter__()
    kept = Settings.load({}, state.settings_of(Role.GATEWAY))
    assert name in kept.model_fields_set
    assert lost_settings(state.settings, Settings.checked(held)) == []
    without = Settings(require_keys=False)
    assert lost_settings(state.settings, without) == [one for one in held if one != "require_keys"]


def test_an_address_on_this_machine_asked_for_no_keys(state: StateFolder) -> None:
    """So it may be dropped, and is named."""
    _farm_of_an_earlier_run(state, public_url="http://localhost:8188", require_keys=False)
    assert lost_settings(state.settings, Settings()) == ["public_url", "require_keys"]


def test_a_file_that_cannot_be_read_is_replaced(state: StateFolder) -> None:
    """As is one that is not there."""
    assert lost_settings(state.settings, Settings()) == []
    state.settings.write_bytes(b"\xff = [")
    assert lost_settings(state.settings, Settings()) == []
