"""Real servers for tests: each in a directory of its own, on free loopback ports, ended with the run.

Nothing here touches the system's own services: clusters are made, used and thrown away.
"""

from __future__ import annotations

import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncpg

ROOT = Path(__file__).parents[1]
PORTS = range(20_000, 32_000)
# Filling a demo province on a busy machine takes its time.
START_SECONDS = 240
STOP_SECONDS = 30
FAST_DIRECTORIES = ("/dev/shm",)
UNPRIVILEGED = ("postgres", "nobody")


def free_port() -> int:
    """A loopback port that nobody listens on, below those that outgoing connections take."""
    for port in random.SystemRandom().sample(PORTS, k=100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def fast_directory() -> Path | None:
    """A directory in memory, where there is one, for data that need not outlive the run."""
    found = (Path(name) for name in FAST_DIRECTORIES)
    return next((path for path in found if os.access(path, os.W_OK)), None)


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll a starting process. Raises with the end of its log when it dies or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    try:
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                state = "silent" if process.returncode is None else f"ended: {process.returncode}"
                tail = log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{process.args!r} is {state}\n{tail}")
            time.sleep(0.02)
    except BaseException:
        process.kill()
        process.wait()
        raise


class Postgres:
    """One PostgreSQL cluster. Not durable means quick: no fsync, files in memory if possible."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._binaries = _postgres_binaries()
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        place = None if durable else fast_directory()
        self.directory = Path(tempfile.mkdtemp(prefix="telemed-pg-", dir=place))
        self.port = free_port()
        if self._user:
            shutil.chown(self.directory, self._user)

    def start(self) -> Self:
        """Make the cluster if it is new, and wait until it answers."""
        data = self.directory / "data"
        if not data.exists():
            self._run("initdb", "-D", str(data), "-U", "telemed", "-A", "trust", "-E", "UTF8")
        log = self.directory / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", data, *self._options()],
                stdout=output,
                stderr=output,
                user=self._user,
                cwd=self.directory,
            )
        wait_until(self._is_ready, self._process, log)
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the cluster; SIGQUIT is the way of a power cut."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End it and throw its files away."""
        self.stop()
        shutil.rmtree(self.directory)

    def url(self, name: str) -> str:
        """The address of one database, as the settings take it."""
        return f"postgresql+asyncpg://telemed@127.0.0.1:{self.port}/{name}"

    async def create(self, *, template: str = "template1") -> str:
        """A new database, copied from a template; returns its name."""
        name = f"t_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    async def drop(self, name: str) -> None:
        """Throw one database away, whoever is still connected."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="telemed", database="postgres"
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _is_ready(self) -> bool:
        check = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(check, check=False).returncode == 0

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / command, *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.directory,
        )


class Redis:
    """One Redis that keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="telemed-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, as the settings take it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start and wait until it accepts connections."""
        log = self._directory / "log"
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self._directory
            )
        wait_until(lambda: accepts(self.port), self._process, log)
        return self

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End it and throw its files away."""
        self.stop()
        shutil.rmtree(self._directory)


class Telemed:
    """The product itself, started as its users start it, in a directory of its own."""

    def __init__(self, directory: Path, *flags: str, **settings: str) -> None:
        self.directory = directory
        self.sources = ROOT
        self.port = free_port()
        self.log = directory / "server.log"
        self._flags = flags
        self._settings = {"data_dir": str(directory / "var"), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The machine's environment with this installation's settings and no other's."""
        own = {f"TELEMED_{name.upper()}": value for name, value in self._settings.items()}
        rest = {key: value for key, value in os.environ.items() if not key.startswith("TELEMED_")}
        return rest | {"PYTHONPATH": str(self.sources)} | own

    def command(self, *arguments: str) -> str:
        """Run one command of this installation to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "telemed", *arguments],
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=self.directory,
        )
        if done.returncode:
            raise RuntimeError(f"telemed {arguments} ended: {done.returncode}\n{done.stdout}")
        return done.stdout

    def start(self) -> Self:
        """Serve, and wait until the health page says so."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "telemed", "serve", "--port", str(self.port), *self._flags],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd=self.directory,
                start_new_session=True,
            )
        wait_until(self._is_healthy, self._process, self.log)
        return self

    def stop(self) -> None:
        """Ask it to end, and wait until it has; whatever it left behind is ended as well."""
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._kill_group()
            self._process = None

    def kill(self) -> None:
        """What a power cut does: every process of it ends now, without a word."""
        if self._process:
            self._kill_group()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _kill_group(self) -> None:
        assert self._process
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.origin}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def accepts(port: int) -> bool:
    """Somebody listens on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _postgres_binaries() -> Path:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    on_path = shutil.which("pg_isready")
    candidates = [*packaged[-1:], *([Path(on_path).resolve().parent] if on_path else [])]
    found = next((path for path in candidates if (path / "postgres").exists()), None)
    if not found:
        raise RuntimeError("PostgreSQL is not installed; `make packages` names what is missing")
    return found


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root, so root lends it another name."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)
