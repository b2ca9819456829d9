"""Plans of batches from requests: every line is read, and every fault is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winepress.bulk.bulk_file import read_lines
from winepress.bulk.line import LineFault
from winepress.bulk.matrix import Matrix
from winepress.bulk.plan import MAX_ITEMS, Plan, PlanOptions
from winepress.bulk.wildcards import Wildcards
from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.intake import check_models
from winepress.gateway.openai.batch_record import MOST_FAULTS, Fault
from winepress.gateway.openai.image_request import read_request
from winepress.gateway.openai.model_names import check_name, model_for, model_of
from winepress.gateway.openai.user_files import FILE_ID
from winepress.gateway.refusals import BadRequest
from winepress.gateway.requested_job import check_files
from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob, NotFound, Refused, WrongUsage
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.job import Priority


@dataclass(frozen=True)
class BatchForm:
    """How the lines of a batch are read."""

    form: str  #: one of `bulk_file.FORMS`
    is_openai: bool = False  #: each line is a request of OpenAI's Batch API
    defaults: Mapping[str, Any] = field(default_factory=dict)  #: of fields that a line lacks
    matrix: tuple[str, ...] = ()  #: axes, see `Matrix`
    wildcards: bool = False  #: expand ``{a|b}`` in prompts


class BatchPlan:
    """The pictures of a batch, and what is wrong with its lines."""

    def __init__(
        self, client: Client, caller: Caller, form: BatchForm, read_file: Callable[[str], bytes]
    ) -> None:
        """``read_file`` returns the content of an uploaded file by its id."""
        self._client = client
        self._caller = caller
        self._form = form
        self._read_file = read_file
        self.faults: list[Fault] = []
        self.more_faults = 0  #: that are not listed
        self.wants_bytes = False  #: a line asks for the pictures themselves
        self.plan = Plan(client.catalogue, PlanOptions())
        self._unread = 0  # lines that did not get into the plan

    def read(self, path: Path) -> None:
        """Read the file at ``path``; raises Forbidden for a model that the caller may not use."""
        form, defaults = self._form, {"priority": Priority.BULK, **self._form.defaults}
        if "model" in defaults:
            defaults["model"] = model_of(self._client.settings, check_name(defaults["model"]))
        options = PlanOptions(
            folder=path.parent,
            defaults=defaults,
            matrix=Matrix(form.matrix),
            # Its folder has no lists of words: a gateway opens no files of its own machine.
            wildcards=Wildcards(path.parent) if form.wildcards else None,
        )
        self.plan = plan = Plan(self._client.catalogue, options)
        try:
            plan.add(read_lines(path, form.form, self._note_unread, self._understand), self._note)
            if not self.faults:
                plan.check_any()
        except LineFault as fault:  # the file cannot be read further
            self._note_unread(fault)
        except Refused as error:
            self.faults.append(Fault(line=None, message=error.message))
        except WrongUsage as error:  # its value is the path of a temporary file
            raise BadRequest(error.problem, allowed=error.allowed, hint=error.hint) from None

    @property
    def lines(self) -> int:
        """Number of lines, those with faults too."""
        return self.plan.lines + self._unread

    def _note_unread(self, fault: LineFault) -> None:
        self._unread += 1
        self._note(fault)

    def _note(self, fault: LineFault) -> None:
        if len(self.faults) >= MOST_FAULTS:
            self.more_faults += 1
            if self.more_faults >= MAX_ITEMS:
                problem = "too many lines have faults; those after it were not read"
                raise InvalidJob(f"line {fault.line}: {problem}", allowed=f"fewer than {MAX_ITEMS}")
            return
        self.faults.append(
            Fault(line=fault.line, column=fault.column, param=fault.name, message=fault.message)
        )

    def _understand(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        if self._form.is_openai:
            fields, warnings = self._request(values)
        else:
            fields, warnings = read_fields(values)
            self._name_model(fields)
        for name in ("image", "mask"):
            given = fields.get(name)
            if isinstance(given, str) and FILE_ID.fullmatch(given):
                fields[name] = self._content(name, given)
        check_files(fields)
        self._check_models(fields)
        return fields, warnings

    def _request(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The fields of a request of OpenAI; a stream, and users, mean nothing here."""
        kind = values.get("kind") or "text-to-image"
        asked = read_request(self._client, values, str(kind))
        self.wants_bytes |= asked.wants_bytes
        fields, warnings = read_fields(asked.fields)
        ignored = [name for name in ("stream", "user", "safety_identifier") if values.get(name)]
        said = [f"{name} is ignored: a batch belongs to the user of its key" for name in ignored]
        return fields, [*asked.warnings, *warnings, *said]

    def _name_model(self, fields: dict[str, Any]) -> None:
        name = check_name(fields.get("model"))
        if name is not None:
            kind = fields.get("kind") or self._form.defaults.get("kind") or "text-to-image"
            client = self._client
            fields["model"] = model_for(client.settings, client.catalogue, name, str(kind))

    def _content(self, name: str, file_id: str) -> bytes:
        try:
            return self._read_file(file_id)
        except NotFound as error:
            raise InvalidJob(error.problem, field=name, value=file_id) from None

    def _check_models(self, fields: Mapping[str, Any]) -> None:
        """Raise Forbidden if the caller's key does not allow a model that a line names."""
        given = canonical_fields(dict(self._form.defaults)) | canonical_fields(dict(fields))
        check_models(self._caller, {name: given.get(name) for name in ("model", "refiner")})

    def check_lanes(self) -> None:
        """Raise Forbidden if the caller's key does not allow the model of a picture."""
        for group in self.plan.groups.values():
            check_models(self._caller, {"model": group.lane.model})
