"""Files, as OpenAI's client and Replicate's upload and fetch them."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI
from support.openai_batches import line, submit
from support.running_gateway import RunningGateway

from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store


def test_a_file_is_kept_listed_and_deleted(client: OpenAI) -> None:
    """Page by page, newest first, and its content comes back as it was."""
    files = [
        client.files.create(
            file=(f"../{number}.jsonl", b"x" * number),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        for number in range(1, 4)
    ]
    assert [(one.filename, one.bytes, one.status) for one in files] == [
        (f"{number}.jsonl", number, "processed") for number in range(1, 4)
    ]
    assert files[0].expires_at == files[0].created_at + 3600
    assert [one.id for one in client.files.list(limit=2)] == [one.id for one in files[::-1]]
    assert client.files.content(files[2].id).read() == b"xxx"
    assert client.files.delete(files[1].id).deleted
    with pytest.raises(openai.NotFoundError, match="no such file"):
        client.files.retrieve(files[1].id)
    assert len(list(client.files.list())) == 2


def test_a_file_of_replicate_has_its_shape_and_serves_as_input(gateway: RunningGateway) -> None:
    """The address in ``urls`` opens it; nobody's browser shows it as a page."""
    answer = gateway.http.post(
        "/v1/files",
        files={"content": ("a.html", b"<script>", "text/html")},
        data={"metadata": '{"a": "b"}'},
    )
    assert answer.status_code == 201
    file = answer.json()
    assert (file["name"], file["content_type"], file["size"]) == ("a.html", "text/html", 8)
    assert (file["metadata"], file["checksums"]["sha256"]) == ({"a": "b"}, file["etag"])
    assert gateway.http.get(file["urls"]["get"]).json() == file
    content = gateway.http.get(f"{file['urls']['get']}/content")
    assert (content.content, content.headers["content-type"]) == (
        b"<script>",
        "application/octet-stream",
    )


def test_a_missing_file_is_not_found(client: OpenAI) -> None:
    """A batch of it is refused, and so is whatever else an id may hold."""
    for file_id in ("file-" + "0" * 28, "file-x", "..%2f..%2fjobs", f"file-{'0' * 28}-output"):
        with pytest.raises(openai.NotFoundError):
            client.files.content(file_id)
    with pytest.raises(openai.NotFoundError, match="no such file"):
        client.batches.create(
            input_file_id="file-" + "0" * 28,
            endpoint="/v1/images/generations",
            completion_window="24h",
        )


def test_files_and_batches_of_others_are_not_found(farm_settings: Settings) -> None:
    """Nobody learns that they exist, and a key without the right is refused."""
    store = KeyStore(open_store(farm_settings))
    both, one = frozenset({Scope.SUBMIT, Scope.READ_OWN}), frozenset({Scope.SUBMIT})
    keys = {
        user: str(store.create(user, scopes=scopes)[1])
        for user, scopes in (("ann", both), ("bob", both), ("eve", one))
    }
    with RunningGateway(farm_settings) as gateway:

        def asks(user: str, route: str) -> int:
            headers = {"Authorization": f"Bearer {keys[user]}"}
            return gateway.http.get(route, headers=headers).status_code

        with OpenAI(base_url=f"{gateway.url}/v1", api_key=keys["ann"], max_retries=0) as ann:
            batch = submit(ann, line(1))
        file = f"/v1/files/{batch.input_file_id}"
        for route in (file, f"{file}/content", f"/v1/batches/{batch.id}"):
            assert [asks(user, route) for user in keys] == [200, 404, 403]
