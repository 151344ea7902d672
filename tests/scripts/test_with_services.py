"""The private services for real, in a folder of their own, around one command."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUERY = """
import os, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"].replace("postgis:", "postgresql:")) as connection:
    connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
print("both answer", flush=True)
"""


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture(scope="module")
def state() -> Iterator[dict[str, str]]:
    """A folder with a database cluster, which takes longer to make than all else here."""
    # Not tmp_path: pytest closes that to all others, and root's PostgreSQL runs as another user.
    folder = tempfile.mkdtemp(prefix="ntl-web-test-", dir="/var/tmp")
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
    environment |= {"NTL_STATE_DIR": folder, "NTL_PG_PORT": free_port(), "NTL_REDIS_PORT": free_port()}
    yield environment
    subprocess.run([SCRIPTS / "services.sh", "remove"], env=environment, check=True, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment(state: dict[str, str]) -> Iterator[dict[str, str]]:
    yield state
    subprocess.run([SCRIPTS / "services.sh", "stop"], env=state, check=True, capture_output=True)


def with_services(environment: dict[str, str], code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SCRIPTS / "with_services.py", SCRIPTS / "run", sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def is_running(environment: dict[str, str]) -> bool:
    return subprocess.run([SCRIPTS / "services.sh", "status"], env=environment, capture_output=True).returncode == 0


def test_a_command_has_its_services_and_hands_on_its_exit_code(environment: dict[str, str]) -> None:
    with with_services(environment, f"{QUERY}\nraise SystemExit(7)") as process:
        said = process.communicate(timeout=60)[0]
    assert "both answer" in said
    assert process.returncode == 7
    assert not is_running(environment)


def test_ending_the_command_from_outside_ends_its_services(environment: dict[str, str]) -> None:
    with with_services(environment, f"{QUERY}\nimport time; time.sleep(60)") as process:
        assert process.stdout is not None
        while "both answer" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not is_running(environment)


def test_services_started_by_hand_stay(environment: dict[str, str]) -> None:
    subprocess.run([SCRIPTS / "services.sh", "start"], env=environment, check=True, capture_output=True)
    with with_services(environment, "") as process:
        process.communicate(timeout=60)
    assert is_running(environment)
