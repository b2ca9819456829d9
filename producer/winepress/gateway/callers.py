"""Callers who may do what a route does; parameters of routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from winepress.gateway.access import Caller, Scope
from winepress.gateway.credentials import CallerOf
from winepress.gateway.refusals import Forbidden


async def submitter_of(caller: CallerOf) -> Caller:
    """The caller of a route that submits, uploads or deletes; raises Forbidden."""
    if not caller.may(Scope.SUBMIT):
        raise Forbidden("this key may not submit jobs", hint="It needs the scope submit")
    return caller


async def reader_of(caller: CallerOf) -> Caller:
    """The caller of a route that shows the caller's own; raises Forbidden."""
    if not caller.may_look:
        raise Forbidden("this key may not look at jobs or files", hint="It lacks read-own")
    return caller


async def watcher_of(caller: CallerOf) -> Caller:
    """The caller of a route that shows the whole farm; raises Forbidden."""
    if not caller.may(Scope.READ_ALL):
        raise Forbidden("this key may not see the whole farm", hint="It needs the scope read-all")
    return caller


SubmitterOf = Annotated[Caller, Depends(submitter_of)]
ReaderOf = Annotated[Caller, Depends(reader_of)]
WatcherOf = Annotated[Caller, Depends(watcher_of)]
