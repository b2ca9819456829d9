"""``/``, and the files of the page under ``/page``."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from winepress.gateway.page.page_file import page_files
from winepress.gateway.problems import Problem
from winepress.gateway.refusals import NoRoute

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page itself; it needs no key, and everything that it asks for does."""
    return page_files()["index.html"].answer(request)


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """The icon, which browsers look for here."""
    return page_files()["icon.svg"].answer(request)


@router.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A script, a style or the icon."""
    found = page_files().get(name)
    if found is None:
        raise NoRoute("the page has no such file", value=name[:200])
    return found.answer(request)


def is_for_people(request: Request, problem: Problem) -> bool:
    """Whether a browser asked for a page that does not exist."""
    reads_pages = "text/html" in request.headers.get("accept", "")
    return problem.code == NoRoute.code and reads_pages and request.method in ("GET", "HEAD")


def not_found(request: Request) -> Response:
    """What a person sees there."""
    return page_files()["not-found.html"].answer(request, status=404)
