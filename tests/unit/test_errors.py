"""The tree of errors: what each one says, and that it survives the way between processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from winepress_shared import errors
from winepress_shared.errors import InvalidJob, RenderFault, Stopped, WinepressError


def _family(kind: type[WinepressError]) -> list[type[WinepressError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _family(child))]


#: Tests of other modules may define errors of their own.
FAMILY = [kind for kind in _family(WinepressError) if kind.__module__ == errors.__name__]
EXIT_CODES = {
    "Refused": 4,
    "WrongUsage": 2,
    "NotFound": 4,
    "FarmUnreachable": 3,
    "JobFailed": 1,
}


def test_drawn_tree_is_the_real_one() -> None:
    """The drawing in the module's docstring names every class, each below its parent."""
    drawn, line_of = {}, {-1: "Exception"}
    for prefix, name in re.findall(r"^    ([│├└─ ]*)(\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(prefix) // 4
        line_of[depth] = name
        drawn[name] = line_of[depth - 1]
    assert drawn == {kind.__name__: (kind.__base__ or object).__name__ for kind in FAMILY}


@pytest.mark.parametrize("name", EXIT_CODES)
def test_each_branch_has_its_exit_code(name: str) -> None:
    """The command line's exit code follows from the branch, whatever the leaf."""
    for kind in _family(getattr(errors, name)):
        assert kind.exit_code == EXIT_CODES[name], kind


def test_faults_and_stops_are_told_apart_by_type() -> None:
    """A stop is no fault: catching one never catches the other."""
    assert not issubclass(Stopped, RenderFault)
    assert not issubclass(RenderFault, Stopped)


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_survives_pickle_and_copy(kind: type[WinepressError]) -> None:
    """An error keeps its type and all five parts on the way to another process."""
    error = kind("too big", field="width", value=9, allowed="1 to 8", hint="Try 8.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)
        assert twin.args == error.args


def test_message_names_field_problem_value_bounds_and_way_out() -> None:
    """One line says what was wrong, what was given, what is allowed and what to do."""
    error = InvalidJob("too big", field="width", value=9, allowed="1 to 8", hint="try 8.")
    assert str(error) == "width: too big (got 9); allowed: 1 to 8. Try 8."
    assert str(InvalidJob("is required", field="prompt")) == "prompt: is required"
    assert str(InvalidJob("no")) == "no"


def test_falsy_value_is_shown() -> None:
    """Zero and an empty text are values too."""
    assert str(InvalidJob("no", value=0)) == "no (got 0)"
    assert str(InvalidJob("no", value="")) == "no (got '')"


def test_field_set_later_shows_in_the_message() -> None:
    """Validators learn the field's name after the fact; the message follows."""
    error = InvalidJob("not a picture")
    error.field = "mask"
    assert str(error) == "mask: not a picture"
    assert str(pickle.loads(pickle.dumps(error))) == "mask: not a picture"


def test_long_value_is_cut_short() -> None:
    """A megabyte of input does not become a megabyte of log."""
    message = str(InvalidJob("too long", value="x" * 2**20))
    assert len(message) < 120
    assert message.endswith("…)")


@pytest.mark.parametrize("value", ["a\nb\x1b[31m", "\ud800"])
def test_control_characters_never_reach_the_terminal(value: str) -> None:
    """A hostile value is shown escaped, on one line that can be printed."""
    message = str(InvalidJob("no", value=value))
    assert message.isprintable()
    message.encode()


def test_integer_python_refuses_to_print_still_gives_a_message() -> None:
    """Integers of more than 4300 digits have no text in Python."""
    assert "an unprintable int" in str(InvalidJob("no", value=10**5000))


def test_no_message_is_longer_than_a_page() -> None:
    """Whoever writes a file or the broker's records invents names and words of any length."""
    error = InvalidJob(f"{'x' * 10**6!r} is given twice", field="y" * 10**6, value="z" * 10**6)
    assert len(error.message) < 3000
    assert "z" * 70 in error.message
