"""Fixtures of the tests in which servers, networks and disks fail."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.engine import LocalExecutor, open_executor
from tests.faults.draw import SEED
from tests.faults.proxy import FaultProxy
from tests.faults.trial import Trial
from tests.servers import S3Server


def pytest_report_header() -> str:
    """Say how to do the same again."""
    return f"faults: FAULTS_SEED={SEED}"


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run."""
    return SEED


@pytest.fixture(scope="session")
def executor() -> Iterator[LocalExecutor]:
    """Worker processes, as the runner has them."""
    with open_executor(2) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3_server) as proxy:
        yield proxy


@pytest.fixture
def proxy(shared_proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The faulty way to the S3 server, harmless until it is given a script."""
    shared_proxy.forget()
    yield shared_proxy
    shared_proxy.forget()


@pytest.fixture
def new_trial(
    s3_server: S3Server, proxy: FaultProxy, executor: LocalExecutor, tmp_path: Path
) -> Callable[[str], Trial]:
    """`new_trial("local-s3")`: a move from a folder to a bucket that is reached through the proxy."""
    return lambda route: Trial(route, s3_server, proxy, executor, tmp_path)
