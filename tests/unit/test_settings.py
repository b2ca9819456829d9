"""Settings from defaults, file, environment and arguments."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.settings_table import meanings, table, written_table

from winepress_deploy.state_folder import default_state
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings, default_home

SECRET = "hunter2-correct-horse"
URL = f"redis://user:{SECRET}@broker.example:6379/0"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ``winepress.toml`` of the developer's decides a test."""
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_configuration() -> None:
    """A farm on this machine works with nothing set."""
    settings = Settings.load({})
    assert settings.broker_url.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert (settings.farm, settings.s3_bucket, settings.user) == (
        "winepress",
        "winepress",
        "anonymous",
    )
    assert settings.s3_access_key_id is settings.s3_secret_access_key is None


def test_later_source_wins(tmp_path: Path) -> None:
    """Defaults, then the file, then the environment, then what the caller says."""
    file = tmp_path / "farm.toml"
    file.write_text('farm = "file"\nuser = "file"\ns3_bucket = "file"\n')
    environ = {"WINEPRESS_USER": "env", "WINEPRESS_S3_BUCKET": "env"}
    settings = Settings.load(environ, file, s3_bucket="argument", s3_region=None)
    assert (settings.farm, settings.user, settings.s3_bucket) == ("file", "env", "argument")
    assert settings.s3_region == "us-east-1"


def test_file_is_found_by_name_or_in_the_working_folder(tmp_path: Path) -> None:
    """``WINEPRESS_CONFIG`` beats ``winepress.toml``, an argument beats both."""
    for name in ("winepress", "named", "given"):
        (tmp_path / f"{name}.toml").write_text(f'user = "{name}"\n')
    named = {"WINEPRESS_CONFIG": str(tmp_path / "named.toml")}
    assert Settings.load({}).user == "winepress"
    assert Settings.load({"WINEPRESS_CONFIG": ""}).user == "winepress"
    assert Settings.load(named).user == "named"
    assert Settings.load(named, tmp_path / "given.toml").user == "given"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_empty_variable_counts_as_not_set(name: str) -> None:
    """Compose files hand down unset variables as empty ones; "" must not become a folder."""
    environ = {f"WINEPRESS_{name.upper()}": ""}
    assert getattr(Settings.load(environ), name) == getattr(Settings.load({}), name)


def test_variables_of_others_are_left_alone() -> None:
    """Only the prefix makes a variable ours."""
    assert Settings.load({"PATH": "/bin", "USER": "x", "XWINEPRESS_USR": "y"}) == Settings.load({})


def test_unknown_variable_is_refused_with_the_nearest_key() -> None:
    """A typo in the environment never silently means "default"; its value is not shown."""
    with pytest.raises(WrongUsage, match="Did you mean 's3_bucket'") as caught:
        Settings.load({"WINEPRESS_S3_BUCKETT": SECRET})
    assert "WINEPRESS_S3_BUCKETT" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_unknown_key_of_a_file_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    """The message names the file and the key, not the value."""
    file = tmp_path / "farm.toml"
    file.write_text(f'brokerurl = "{SECRET}"\n')
    with pytest.raises(WrongUsage, match="Did you mean 'broker_url'") as caught:
        Settings.load({}, file)
    assert "farm.toml" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_unknown_argument_is_refused() -> None:
    """Callers in Python can mistype too."""
    with pytest.raises(WrongUsage, match="bukket"):
        Settings.load({}, bukket="x")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"farm = ", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"queue_limit = " + b"9" * 5000, "a number has too many digits"),
        (b"farm = " + b"[" * 10_000, "too deeply"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
        (None, "cannot read"),
    ],
)
def test_unreadable_file_is_a_sentence(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """Broken, not even text, or missing: the message names the file."""
    file = tmp_path / "farm.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WrongUsage, match=problem) as caught:
        Settings.load({"WINEPRESS_CONFIG": str(file)})
    assert "farm.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("farm", ["a", "a" * 32, "0-9"], ["a" * 33, "A", "-a", "a_b", "a:b", "a\n"]),
        ("broker_url", ["redis://h", "rediss://h:1/2"], ["http://h", "amqp://h", "unix:///s", "h"]),
        (
            "broker_url",
            ["redis://:p%2Fw@h:65535/0"],
            ["redis://h/jobs", "redis://h:p", "redis://["],
        ),
        (
            "s3_endpoint",
            ["http://h:1", "https://h"],
            ["h:1", "ftp://h", "s3://h", "http://h:65536"],
        ),
        ("s3_public_endpoint", ["https://h/below"], ["h", "ftp://h"]),
        ("s3_bucket", ["abc", "a.b-c", "a" * 63], ["ab", "a" * 64, "-abc", "abc-", "A_b", "a/b"]),
        ("user", ["a", "a" * 64, "ann.b@example.org"], ["a" * 65, ".a", "a b", "a/b", "a\n"]),
        ("queue_limit", ["1", "2000000"], ["0", "-1", "1.5", "many"]),
        ("keep_days", ["0.5", "3650"], ["0", "-1", "3651", "nan", "inf", "week"]),
        ("keep_objects_days", ["0", "0.5", "3650"], ["-1", "3651", "nan", "inf", "week"]),
    ],
)
def test_bounds_hold_on_both_sides(key: str, inside: list[str], outside: list[str]) -> None:
    """Accepted up to the bound, refused by name beyond it."""
    for value in inside:
        assert Settings.load({f"WINEPRESS_{key.upper()}": value})
    for value in outside:
        with pytest.raises(WrongUsage, match=f"^{key}: invalid setting: "):
            Settings.load({f"WINEPRESS_{key.upper()}": value})


SECRETS: dict[str, Any] = {
    "broker_url": URL,
    "sentinel_password": SECRET,
    "s3_access_key_id": SECRET,
    "s3_secret_access_key": SECRET,
}


def test_secrets_stay_out_of_every_text() -> None:
    """Nothing that ends in a log or a traceback shows a password."""
    settings = Settings(**SECRETS)
    texts = [repr(settings), str(settings), f"{settings}", repr(settings.model_dump())]
    texts += [settings.model_dump_json(), repr(settings.__dict__), repr(list(settings))]
    for text in texts:
        assert SECRET not in text
    assert settings.broker_url.get_secret_value() == URL


@pytest.mark.parametrize("key", SECRETS)
def test_secrets_stay_out_of_errors(key: str, tmp_path: Path) -> None:
    """A setting of the wrong form is refused by name; its value is not repeated."""
    file = tmp_path / "farm.toml"
    file.write_text(f'{key} = ["{SECRET}"]\n')
    with pytest.raises(WrongUsage, match=f"^{key}: ") as caught:
        Settings.load({}, file)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(vars(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_broker_of_another_kind_is_refused_without_showing_its_password() -> None:
    """The commonest mistake holds the commonest secret."""
    with pytest.raises(WrongUsage, match="must begin with redis://") as caught:
        Settings.load({"WINEPRESS_BROKER_URL": f"amqp://user:{SECRET}@h"})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("mark", "/?#")
@pytest.mark.parametrize("key", ["broker_url", "s3_endpoint"])
def test_a_password_with_unencoded_marks_is_refused_without_showing_it(key: str, mark: str) -> None:
    """Behind such a mark the parser takes the rest for a port, and would repeat it."""
    scheme = "redis" if key == "broker_url" else "http"
    with pytest.raises(WrongUsage, match="percent-encoded") as caught:
        Settings.load({f"WINEPRESS_{key.upper()}": f"{scheme}://:{SECRET}{mark}x@h:1/0"})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", Settings.model_fields)
def test_settings_are_frozen(key: str) -> None:
    """Read once at the edge, never changed on the way down."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), key, None)


def test_settings_survive_the_way_to_a_child() -> None:
    """A spawned process gets the same settings, secrets and all."""
    settings = Settings(**SECRETS)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_home_follows_the_xdg_base_directories(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``XDG_CACHE_HOME`` when set, else ``~/.cache``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_home() == tmp_path / "winepress"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "h"))
    assert default_home() == tmp_path / "h" / ".cache" / "winepress"


def test_tests_leave_the_users_own_folders_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another farm of this machine may have its models and its books of memory there."""
    ours = tmp_path_factory.getbasetemp()
    for folder in (default_home(), default_state()):
        assert folder.is_relative_to(ours)


def test_origins_are_a_list_in_a_file_and_words_in_the_environment(tmp_path: Path) -> None:
    """Each is a scheme and a host; a path or a bare name would never match what browsers send."""
    file = tmp_path / "winepress.toml"
    file.write_text('cors_origins = ["https://app.example", "http://localhost:3000"]\n', "utf-8")
    told = {"WINEPRESS_CORS_ORIGINS": "https://app.example, http://localhost:3000"}
    assert Settings.load({}, file).cors_origins == Settings.load(told).cors_origins
    assert len(Settings.load(told).cors_origins) == 2
    for wrong in ("app.example", "https://app.example/", "https://a b", "https://", "null"):
        with pytest.raises(WrongUsage, match="cors_origins"):
            Settings.checked({"cors_origins": [wrong]})


def test_a_variable_holds_a_list_or_a_table_as_json(tmp_path: Path) -> None:
    """As the file has them; words with commas between remain a list."""
    told = {
        "WINEPRESS_WEBHOOK_ALLOW": '["127.0.0.1", "10.0.0.0/8"]',
        "WINEPRESS_CORS_ORIGINS": ' ["https://app.example"]',
        "WINEPRESS_MODEL_ALIASES": '{"my-model": "vignette"}',
    }
    found = Settings.load(told)
    assert found.webhook_allow == ("127.0.0.1", "10.0.0.0/8")
    assert found.cors_origins == ("https://app.example",)
    assert found.model_aliases == {"my-model": "vignette"}
    words = {"WINEPRESS_WEBHOOK_ALLOW": "127.0.0.1, 10.0.0.0/8"}
    assert Settings.load(words).webhook_allow == found.webhook_allow


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_ALLOW", '["127.0.0.1"'),
        ("WEBHOOK_ALLOW", '{"127.0.0.1": 1}'),
        ("CORS_ORIGINS", "[NaN]"),
        ("CORS_ORIGINS", "[" * 100_000),
        ("MODEL_ALIASES", "my-model=vignette"),
        ("MODEL_ALIASES", '["my-model"]'),
        ("MODEL_ALIASES", '{"a": "x", "a": "y"}'),
        ("MODEL_ALIASES", '{"a": ' + "9" * 100 + "}"),
        ("MODEL_ALIASES", '{"a": "' + "x" * 2**20 + '"}'),
    ],
)
def test_an_unreadable_variable_is_refused_with_an_example(name: str, value: str) -> None:
    """The message names the variable and shows how it is written."""
    with pytest.raises(WrongUsage, match=rf"^WINEPRESS_{name}: .*such as [\[{{]") as caught:
        Settings.load({f"WINEPRESS_{name}": value})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", ["[7]", '[["a"]]', '["http://x"]', '["a b"]', "http://x", '"a"'])
def test_hosts_for_webhooks_are_hosts(value: str) -> None:
    """Refused where they are set, and not when a message is due."""
    with pytest.raises(WrongUsage, match=r"^webhook_allow"):
        Settings.load({"WINEPRESS_WEBHOOK_ALLOW": value})


@pytest.mark.parametrize("name", ["home", "catalogue", "store_folder"])
def test_a_folder_is_relative_to_where_the_settings_are_read(tmp_path: Path, name: str) -> None:
    """The processes of a farm, which read them again, run in folders of their own."""
    settings = Settings.load({f"WINEPRESS_{name.upper()}": "mine"})
    assert getattr(settings, name) == tmp_path / "mine"


def test_the_page_of_settings_is_the_one_that_the_code_makes() -> None:
    """A row for each, with what the code says of it; `support.settings_table` writes it."""
    assert written_table() == table()
    assert set(meanings()) == set(Settings.model_fields)
