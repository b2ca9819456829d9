"""A job in a YAML or JSON file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import yaml

from winepress.job_files.written_job import read_fields
from winepress_shared.errors import WrongUsage
from winepress_shared.json_text import check_digits, parse_json
from winepress_shared.regular_file import folder_of, read_regular

MAX_JOB_FILE_BYTES = 2**20
_MAX_VALUES = 20_000  #: of YAML, which takes long to read
MAX_JSON_BYTES = 128 * 2**20  #: a JSON job may embed its pictures in base64


class _Loader(yaml.SafeLoader):
    """Reads plain values only; refuses aliases, with which a small file describes a huge value."""

    values = 0  #: read so far

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        self.values += 1
        if self.values > _MAX_VALUES:
            raise yaml.YAMLError(f"more than {_MAX_VALUES} values")
        return super().compose_node(parent, index)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number of limited length; Python takes seconds to read a number of 200 kB."""
        value = check_digits(self.construct_scalar(node))
        if node.tag.endswith("int"):
            return int(self.construct_yaml_int(yaml.ScalarNode(node.tag, value)))
        return float(self.construct_yaml_float(yaml.ScalarNode(node.tag, value)))


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)


def read_job_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The fields of the job in ``path``, and a warning for each field that is ignored.

    A file named ``.json`` must be JSON. Other text is read as JSON if possible, else as YAML. Paths
    in the job are relative to the folder of the file; see `folder_of`. Raises WrongUsage when the
    file cannot be read, and InvalidJob for an invalid field.
    """
    data, is_json = read_bounded(path, MAX_JSON_BYTES), path.suffix.lower() == ".json"
    if is_json or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        values = _read_json(data, path)
    else:
        values = _read_yaml(data, path)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise WrongUsage("a job file must contain the fields of one job", value=str(path))
    if values.keys() == {"error"}:  # what a command before the pipe says with --json
        raise WrongUsage("this is an error message, not a job", value=str(path))
    return read_fields(values, folder_of(path), has_user=True)


def _read_json(data: bytes, path: Path) -> object:
    try:
        return parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        if path.suffix.lower() == ".json" or len(data) > MAX_JOB_FILE_BYTES:
            raise WrongUsage(f"not a JSON job: {error}", value=str(path)) from None
    return _read_yaml(data, path)  # in YAML, too, a mapping may stand in braces


def _read_yaml(data: bytes, path: Path) -> object:
    if len(data) > MAX_JOB_FILE_BYTES:
        raise _too_large(path, MAX_JOB_FILE_BYTES)
    try:
        return yaml.load(data, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
    except RecursionError:
        first = "lists or mappings are nested too deeply"
    except (
        LookupError,
        AttributeError,
        TypeError,
    ):  # PyYAML raises these for values such as `!!int ""`
        first = "a value does not fit its tag"
    raise WrongUsage(f"not a YAML or JSON job: {first}", value=str(path))


def read_bounded(path: Path, most: int = MAX_JOB_FILE_BYTES) -> bytes:
    """The bytes of a file of at most ``most`` bytes; raises WrongUsage."""
    try:
        return read_regular(path, most)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise _too_large(path, most) from None
        raise WrongUsage(f"cannot read the file: {error.strerror}", value=str(path)) from None


def _too_large(path: Path, most: int) -> WrongUsage:
    return WrongUsage("the job file is too large", value=str(path), allowed=f"{most} bytes")
