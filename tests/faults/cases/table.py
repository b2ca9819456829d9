"""The faults that a farm has to live with; tests carry their numbers as ``pytest.mark.case``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One fault."""

    number: int
    fault: str
    promise: str
    #: How far what is tested stands back behind the fault as named; empty: it does not.
    nearest: str = ""


CASES = tuple(
    Case(*row)
    for row in (
        (1, "parent of a worker killed", "its renderer dies too; its pictures are drawn"),
        (2, "renderer killed", "its parent stays; the picture in hand costs one attempt"),
        (3, "whole worker killed at random phases", "nothing lost, doubled or changed"),
        (4, "worker killed with a ticket on its way to it", "the ticket is issued again"),
        (5, "killed between claim and first step", "the slice goes to the next worker"),
        (6, "killed after storing, before counting", "the stored picture is adopted"),
        (7, "killed after counting, before it knows", "the picture is not drawn again"),
        (8, "frozen for longer than its lease", "what it still holds is refused"),
        (9, "clock of a worker an hour wrong", "leases keep to the broker's time"),
        (10, "subscriptions dropped", "no picture is drawn twice"),
        (11, "all connections dropped, 20 times", "workers go on within a minute"),
        (12, "broker killed, back after 3 s", "pictures in hand are finished and counted"),
        (13, "broker away for long", "submissions are refused; the same key is one job",
         "a minute instead of ten"),
        (14, "power cut of the broker's machine", "what was accepted is found again",
         "the end of the append-only file is cut off"),
        (15, "every ticket lost", "all are issued again"),
        (16, "broker's memory full", "jobs are refused, those in hand are counted, none is lost"),
        (17, "connections half-open", "noticed and replaced within a minute"),
        (18, "0.2 s of latency, 5 % of segments late", "no lease ends, each picture is drawn once"),
        (19, "a replica promoted without the last writes", "no picture is lost or doubled",
         "the broker restarts with an older append-only file"),
        (20, "store answers 503", "its lanes rest, no attempt counts",
         "20 s instead of ten minutes"),
        (21, "store's reply lost after it has the picture", "one object, one attempt"),
        (22, "bodies cut short", "never counted; sent again"),
        (23, "store's credentials expire", "the worker says so, and goes on with good ones"),
        (24, "store's disk full", "work waits until there is room, no attempt counts"),
        (25, "two workers with the same picture", "one of them counts it"),
        (26, "ten submissions at once with one key", "one job"),
        (27, "a ticket copied a hundred times", "each picture is drawn once"),
        (28, "a picture that crashes its worker", "given up after three attempts, others go on"),
        (29, "a renderer without memory", "another worker draws its pictures",
         "a limit of its address space; what the kernel kills is case 2"),
        (30, "a picture that hangs", "its renderer is replaced, others go on"),
        (31, "forged tickets", "dropped, and the lane goes on"),
        (32, "a picture of one colour", "never stored; drawn once more, then given up"),
        (33, "cancel at every moment", "either canceled or done"),
        (34, "cancel during an outage", "told that it did not arrive, or kept"),
        (35, "fifty pauses", "no picture and no attempt lost"),
        (36, "SIGTERM", "delivered or handed on, exit code 0, no attempt"),
        (37, "SIGTERM twice, SIGQUIT, SIGINT", "no picture fails by it"),
        (38, "four workers replaced under load", "nothing lost, no attempt",
         "their code is the same; jobs of a later version wait for it"),
        (39, "whoever reconciles killed or frozen", "another one does at once"),
        (40, "10,000 bulk pictures, one urgent", "it waits only for what is in hand"),
        (41, "endless urgent work", "bulk goes on now and then"),
        (42, "a worker that fails at what others draw", "others draw it"),
        (43, "a model damaged on one machine", "drawn on another"),
        (44, "disk of a worker full", "left to others until there is room, no attempt"),
        (45, "broker out of connections", "says so, and all goes on afterwards"),
        (46, "garbage on the channel of events", "no effect on jobs", "no Flower is needed for it"),
        (47, "a million pictures waiting", "memory and time of a claim stay small"),
        (48, "a soak of random faults", "nothing lost, no growth", "`make soak` alone"),
        (49, "all keys to broker and store changed under load",
         "both are good for a while; nothing waits, no picture is begun twice"),
        (50, "a broker behind TLS that asks for certificates, killed", "as without TLS",
         "TLS ends in a proxy before the broker"),
        (51, "disk of the broker or the store fails (EIO, ENOSPC)",
         "doctor says so, nothing is lost, and all goes on when it works"),
        (52, "the primary that Sentinels name killed", "the elected replica goes on; what was "
         "accepted is drawn once"),
    )
)  # fmt: skip
