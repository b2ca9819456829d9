"""A client made before a fork, used after it: every process opens what it uses."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import billiard
import pytest
from support.manual_worker import LANE, ManualWorker, apple
from support.servers import S3Server

from winepress import Client, JobHandle
from winepress_shared.settings import Settings

_JOBS = 8
_FORKS = 200
_AT_A_TIME = 10
_PATIENCE_S = 60

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def settings(farm_settings: Settings, s3_server: S3Server) -> Settings:
    """A farm whose store is a server too: a folder has no connections to share."""
    return s3_server.settings(farm=farm_settings.farm, broker_url=farm_settings.broker_url)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """One client for all tests of a farm with servers."""
    with Client(settings) as one:
        yield one


@pytest.fixture
def handles(client: Client) -> Sequence[JobHandle]:
    """Finished jobs, of a client that has used all of its connections."""
    manual_worker = ManualWorker(client.settings)
    manual_worker.live(LANE)
    handles = [client.submit(apple()) for _ in range(_JOBS)]
    manual_worker.work(LANE)
    assert [reads_its_own(handle) for handle in handles] == [True] * _JOBS
    return handles


def reads_its_own(handle: JobHandle) -> bool:
    """Whether what store and broker answer is about this job."""
    (output,) = handle.result.outputs
    return handle.result.id == handle.id == handle.status().id and handle.id in output.key


def fork(act: Callable[[], bool]) -> int:
    """Run ``act`` in a child; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    is_well = False
    try:
        is_well = act()
    finally:
        os._exit(0 if is_well else 1)


def await_well(pids: Sequence[int]) -> int:
    """How many of these children ended well."""
    return sum(os.waitpid(pid, 0)[1] == 0 for pid in pids)


def test_children_of_a_used_client_never_read_the_answer_of_another(
    handles: Sequence[JobHandle],
) -> None:
    """Two hundred forks, several at a time, each reading every job, and the parent beside them."""

    def read_all() -> bool:
        return all(reads_its_own(handle) for handle in handles)

    well = 0
    for _ in range(_FORKS // _AT_A_TIME):
        pids = [fork(read_all) for _ in range(_AT_A_TIME)]
        assert read_all()
        well += await_well(pids)
    assert well == _FORKS


def test_children_submit_and_leave_their_parent_its_connections(
    client: Client, handles: Sequence[JobHandle], settings: Settings
) -> None:
    """As with gunicorn that loads its program first; a child that closes closes its own."""
    assert handles, "the client is in use before the forks"
    manual_worker = ManualWorker(settings)

    def work() -> bool:
        with client:
            handle = client.submit(apple())
            return client.get(handle.id).status().units == 1

    before = len(client.list())
    pids = [fork(work) for _ in range(_AT_A_TIME)]
    own = client.submit(apple())
    assert await_well(pids) == _AT_A_TIME
    manual_worker.work(LANE)
    assert reads_its_own(own.wait(_PATIENCE_S))
    assert len(client.list()) == before + _AT_A_TIME + 1


def test_a_fork_while_threads_use_the_client_leaves_no_lock_behind(
    handles: Sequence[JobHandle],
) -> None:
    """A thread that does not exist in the child gives no lock back there."""
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            handles[0].status()

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        pids = [fork(lambda: reads_its_own(handles[1])) for _ in range(_AT_A_TIME * 2)]
        assert await_well(pids) == len(pids)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_parent_and_its_children_wait_for_one_job(client: Client, settings: Settings) -> None:
    """The thread that reads for those who wait is not inherited: each process has its own."""
    manual_worker = ManualWorker(settings)
    manual_worker.live(LANE)
    handle = client.submit(apple())
    waiting = threading.Thread(target=handle.wait)
    waiting.start()
    pids = [fork(lambda: handle.wait(_PATIENCE_S).progress == 1.0) for _ in range(_AT_A_TIME)]
    manual_worker.work(LANE)
    waiting.join(_PATIENCE_S)
    assert not waiting.is_alive()
    assert await_well(pids) == _AT_A_TIME


def test_a_channel_of_orders_is_not_shared_with_a_child(
    handles: Sequence[JobHandle],
) -> None:
    """A child that listens at an inherited channel takes no message from its parent."""
    ledger = handles[0]._connections.ledger
    channel = ledger.directives("manual/1")
    assert channel.get_message(_PATIENCE_S) is None  # it is subscribed

    def listen() -> bool:
        while not channel.is_new:
            channel.get_message(0.1)
        return True

    assert await_well([fork(listen) for _ in range(3)]) == 3
    ledger.tell("manual/1", "drain")
    message = channel.get_message(_PATIENCE_S)
    assert message
    assert message["data"] == "drain"
    channel.close()


def test_a_pool_of_celery_inherits_a_used_client(handles: Sequence[JobHandle]) -> None:
    """Celery forks its workers by its own means."""
    with billiard.Pool(2) as pool:
        assert pool.map(reads_its_own, handles) == [True] * len(handles)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_handle_travels_to_other_processes(handles: Sequence[JobHandle], method: str) -> None:
    """A client is its settings, whatever it has opened: ``multiprocessing`` can send it."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(reads_its_own, handles)) == [True] * len(handles)


def test_a_pickled_client_is_its_settings(settings: Settings) -> None:
    """With its keys, which a repr does not show; a handle takes its warnings along."""
    client = Client(settings)
    assert client.ledger
    again = pickle.loads(pickle.dumps(client))
    assert type(again) is Client
    assert again.settings == settings
    assert "ledger" not in vars(again)
    handle: JobHandle = pickle.loads(pickle.dumps(JobHandle(client, "j1", ("one",))))
    assert (handle.id, handle.warnings) == ("j1", ("one",))
