"""The private services where starting them must not work, and what the scripts say then. Nothing is started here."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def services(command: str, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.run(
        [SCRIPTS / "services.sh", command],
        env=inherited | {"NTL_STATE_DIR": str(state)} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("variable", ["NTL_PG_PORT", "NTL_REDIS_PORT"])
def test_start_refuses_a_taken_port_and_says_by_whom_and_what_to_do(
    variable: str, taken_port: int, free_port: int, tmp_path: Path
) -> None:
    ports = {"NTL_PG_PORT": str(free_port), "NTL_REDIS_PORT": str(free_port)} | {variable: str(taken_port)}
    answer = services("start", tmp_path / "state", **ports)
    assert answer.returncode == 1
    assert f"port {taken_port} is taken by process {os.getpid()} " in answer.stderr
    assert f"{variable}={taken_port + 1}" in answer.stderr
    assert not (tmp_path / "state").exists()


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    answer = services("status", tmp_path / "state")
    assert answer.returncode == 3
    assert answer.stdout.splitlines() == ["PostgreSQL: not running", "Redis: not running"]


def test_a_pid_file_with_the_number_of_another_process_is_not_believed(tmp_path: Path) -> None:
    for folder, file in (("postgres/data", "postmaster.pid"), ("redis", "redis.pid")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text(f"{os.getpid()}\n")
    assert services("status", tmp_path).returncode == 3
    assert services("stop", tmp_path).returncode == 0  # and this test still lives


def test_addresses_given_by_the_caller_leave_nothing_to_start(tmp_path: Path) -> None:
    answer = services("start", tmp_path, DATABASE_URL="postgis://elsewhere/ntl", REDIS_URL="redis://elsewhere")
    assert answer.returncode == 0
    assert answer.stdout.splitlines() == ["PostgreSQL: as DATABASE_URL says", "Redis: as REDIS_URL says"]
    names = [line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()]
    assert names == ["SECRET_KEY", "MEDIA_ROOT"]
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_run_exports_the_env_file_but_the_caller_wins(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("REDIS_URL=redis://:a=b@kept\nMEDIA_ROOT=/with a space\n")
    answer = subprocess.run(
        [SCRIPTS / "run", sys.executable, "-c", "import os; print(os.environ['REDIS_URL'], os.environ['MEDIA_ROOT'])"],
        env=os.environ | {"NTL_STATE_DIR": str(tmp_path), "REDIS_URL": "redis://mine"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["redis://mine", os.environ.get("MEDIA_ROOT", "/with a space")]
