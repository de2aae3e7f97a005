"""What all tests share: no network, and where the real data lies."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shared", default="../shared", help="folder with real data and models")
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    """The folder of real data and models; a test that asks for it is skipped where it is missing."""
    place = (request.config.rootpath / str(request.config.getoption("--shared"))).resolve()
    if not place.is_dir():
        pytest.skip(f"no folder {request.config.getoption('--shared')}: give --shared DIR")
    return place


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket to anywhere but this machine is an error."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test reached for the network: {address!r}")
        real(self, address)  # type: ignore[arg-type]  # the stub wants its own union

    monkeypatch.setattr(socket.socket, "connect", connect)
