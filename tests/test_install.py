"""Both ways to install, each from a clean folder into a clean Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import isolated
import pytest

from fiftyone_dfaulo import __version__
from fiftyone_dfaulo.__main__ import main
from fiftyone_dfaulo.cli import registration as cli

ROOT = Path(__file__).parents[1]
PROBE = Path(__file__).with_name("install_probe.py")
PLUGIN = "@dfaulo/dfaulo"
SKILL = "skills/find-label-errors/SKILL.md"
SCRIPT = "fiftyone_dfaulo/keys.js"


class Machine:
    """A Python with FiftyOne and torch, those of this one, and a plugins folder.

    Args:
        folder: where to make it.
        env: variables for everything that runs on it.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        venv.create(folder, with_pip=False)
        self.folder = folder
        self.bin = folder / "bin"
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        (folder / "images").mkdir()
        self.env = {**os.environ, **env, "FIFTYONE_PLUGINS_DIR": str(self.plugins)}
        self.env.pop("PYTHONPATH", None)

    def share_libraries(self) -> None:
        """Adds the libraries of this Python, without its editable installs.

        Not before the last use of pip, which would count them as installed here.
        """
        (site,) = self.folder.glob("lib/python*/site-packages")
        ours = [path for path in sys.path if path.endswith("-packages")]
        (site / "shared.pth").write_text("\n".join(ours), encoding="utf-8")

    def run(self, *command: str | Path) -> str:
        """What the command prints; fails with its output if it fails."""
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def use_plugin(self) -> dict[str, Any]:
        """Runs the operator; what tests/install_probe.py found."""
        output = self.run("python", PROBE, self.folder / "images")
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the repository, as an archive of it unpacks."""
    target = tmp_path_factory.mktemp("sources") / "fiftyone-dfaulo-main"
    unwanted = [
        ".venv",
        ".git",
        ".matrix",
        ".demo",
        ".bench",
        "test-artifacts",
        "__pycache__",
    ]
    unwanted += [".*_cache", "*.egg-info", "build", "dist"]
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*unwanted))
    return target


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; with DFAULO_DIST, the one in that folder."""
    if "DFAULO_DIST" in os.environ:
        (released,) = Path(os.environ["DFAULO_DIST"]).resolve().glob("*.whl")
        return released
    target = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", target, sources]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def own_fiftyone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that keep FiftyOne to a database of these tests."""
    folder = tmp_path_factory.mktemp("fiftyone")
    with isolated.database(folder) as uri:
        yield isolated.settings(folder, uri)


@pytest.fixture(scope="module")
def installed(
    wheel: Path, own_fiftyone: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Machine:
    """A machine with the package, by pip."""
    machine = Machine(tmp_path_factory.mktemp("installed"), own_fiftyone)
    pip = [sys.executable, "-m", "pip", "--python", machine.bin / "python"]
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *options, wheel], check=True, capture_output=True)
    machine.share_libraries()
    return machine


@pytest.fixture(scope="module")
def downloaded(
    sources: Path,
    own_fiftyone: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Machine:
    """A machine without the package, but with FiftyOne's download of the archive."""
    machine = Machine(tmp_path_factory.mktemp("downloaded"), own_fiftyone)
    machine.share_libraries()
    site = tmp_path_factory.mktemp("site")
    if "DFAULO_DIST" in os.environ:
        (released,) = Path(os.environ["DFAULO_DIST"]).glob("*.zip")
        shutil.copy(released, site / "main.zip")
    else:
        shutil.make_archive(str(site / "main"), "zip", sources.parent, sources.name)
    with serving(site) as url:
        code = "from fiftyone.core.cli import main; main()"
        machine.run("python", "-c", code, "plugins", "download", f"{url}/main.zip")
    return machine


@pytest.fixture(scope="module")
def found_by_download(downloaded: Machine) -> dict[str, Any]:
    """What the probe found on the machine with the download."""
    return downloaded.use_plugin()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves the files of a folder; yields the address."""
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_wheel_holds_the_package_its_manifest_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = archive.read("fiftyone_dfaulo/fiftyone.yml")
    info = f"fiftyone_dfaulo-{__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"fiftyone_dfaulo", info}
    modules = {str(p.relative_to(ROOT)) for p in ROOT.glob("fiftyone_dfaulo/**/*.py")}
    assert modules | {f"fiftyone_dfaulo/{n}" for n in ("py.typed", "keys.js")} <= names
    assert any(name.endswith("LICENSE") for name in names)
    assert manifest == (ROOT / "fiftyone.yml").read_bytes()
    assert f"fiftyone_dfaulo/{SKILL}" in names


def test_pip_and_one_command_make_the_operator_work(installed: Machine) -> None:
    assert f"Registered {PLUGIN}" in installed.run("fiftyone-dfaulo", "register")
    found = installed.use_plugin()
    assert found["file"].startswith(str(installed.folder / "lib"))
    assert found["one_class"]
    assert found["importable"]
    assert (found["errors"], found["messages"]) == ([], [])
    assert (found["scores"], found["runs"]) == (20, ["dfaulo"])


def test_download_of_an_archive_makes_the_operator_work(
    downloaded: Machine, found_by_download: dict[str, Any]
) -> None:
    found = found_by_download
    folder = downloaded.plugins / PLUGIN
    assert found["file"] == str(folder / "fiftyone_dfaulo" / "__init__.py")
    assert found["one_class"]
    assert found["errors"] == []
    assert (found["scores"], found["runs"]) == (20, ["dfaulo"])
    assert any(line.startswith("torch>=") for line in found["requirements"])


def test_download_without_pip_says_what_does_not_work(
    downloaded: Machine, found_by_download: dict[str, Any]
) -> None:
    (message,) = found_by_download["messages"]
    assert not found_by_download["importable"]
    assert "Python cannot import fiftyone_dfaulo" in message
    assert f"`pip install {downloaded.plugins / PLUGIN}`" in message


def test_downloaded_copy_uses_the_installed_package(
    installed: Machine, downloaded: Machine
) -> None:
    shutil.rmtree(installed.plugins)
    shutil.copytree(downloaded.plugins, installed.plugins)
    found = installed.use_plugin()
    assert found["file"].startswith(str(installed.folder / "lib"))
    assert found["one_class"]
    assert (found["errors"], found["messages"]) == ([], [])


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty plugins folder that FiftyOne in this process uses."""
    import fiftyone as fo

    monkeypatch.setattr(fo.config, "plugins_dir", str(tmp_path))
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_register_writes_the_manifest_and_an_entry(plugins: Path) -> None:
    cli.register()
    assert files(plugins / PLUGIN) == {
        "fiftyone.yml": (ROOT / "fiftyone.yml").read_text(encoding="utf-8"),
        "__init__.py": cli.ENTRY_TEXT,
        "fiftyone_dfaulo/__init__.py": cli.ENTRY_TEXT,
        SKILL: (ROOT / SKILL).read_text(encoding="utf-8"),
        SCRIPT: (ROOT / SCRIPT).read_text(encoding="utf-8"),
    }


def test_fiftyone_lists_the_skill_of_the_registered_plugin(plugins: Path) -> None:
    import fiftyone.plugins as fop

    cli.register()
    (skill,) = fop.list_skills(plugin=PLUGIN)
    assert (skill.name, skill.category) == ("find-label-errors", "curation")
    assert skill.path == str((plugins / PLUGIN / SKILL).resolve())
    assert "find my label errors" in skill.description


def test_the_skill_names_operators_and_parameters_that_there_are() -> None:
    from fiftyone_dfaulo.plugin import OPERATORS

    text = (ROOT / SKILL).read_text(encoding="utf-8")
    names = {cls.name_: cls for cls in OPERATORS}
    asked = {
        "compute_suspiciousness": ["brain_key", "embeddings", "predictions", "model"],
        "record_verdicts": ["faulty", "correct", "unsure"],
        "tag_suspicious": ["verdict", "tag"],
        "apply_suggestions": ["verdict", "label", "ids", "add_classes"],
        "export_review": ["path"],
    }
    for operator, parameters in asked.items():
        assert f"`{operator}`" in text
        assert set(parameters) <= set(names[operator].takes)
        assert all(re.search(rf"`{one}\b", text) for one in parameters)
    spoken = re.findall(r"`([a-z]+_[a-z]+)`", text)
    known = {*names, "brain_key", "label_field", "add_classes"}
    assert set(spoken) <= known


def test_register_again_changes_nothing(plugins: Path) -> None:
    said = cli.register()
    before = files(plugins)
    assert cli.register() == said
    assert files(plugins) == before


def test_register_after_an_upgrade_renews_what_the_old_version_wrote(
    plugins: Path,
) -> None:
    cli.register()
    manifest = plugins / PLUGIN / "fiftyone.yml"
    manifest.write_text(f'name: "{PLUGIN}"\nversion: 0.0.9\n', encoding="utf-8")
    entry = plugins / PLUGIN / cli.ENTRY
    entry.write_text(f'{cli.MARK}, long ago."""\n', encoding="utf-8")
    assert "by another version" in cli.status()
    cli.register()
    assert f"{__version__} is registered" in cli.status()
    assert entry.read_text(encoding="utf-8") == cli.ENTRY_TEXT


@pytest.mark.parametrize("place", [PLUGIN, "somewhere/else"])
def test_register_leaves_a_downloaded_copy_alone(plugins: Path, place: str) -> None:
    (plugins / place / "fiftyone_dfaulo").mkdir(parents=True)
    shutil.copy(ROOT / "fiftyone.yml", plugins / place)
    shutil.copy(ROOT / cli.ENTRY, plugins / place / "fiftyone_dfaulo")
    before = files(plugins)
    with pytest.raises(cli.RegistrationError, match="did not write it"):
        cli.register()
    with pytest.raises(cli.RegistrationError, match="fiftyone plugins delete"):
        cli.unregister()
    assert cli.status() == f"{PLUGIN} is a copy in {plugins / place}"
    assert files(plugins) == before


def test_register_leaves_a_folder_with_other_files_alone(plugins: Path) -> None:
    (plugins / PLUGIN).mkdir(parents=True)
    (plugins / PLUGIN / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(cli.RegistrationError, match="did not write it"):
        cli.register()
    assert files(plugins / PLUGIN) == {"notes.txt": "mine"}


def test_unregister_takes_back_what_register_wrote_and_no_more(plugins: Path) -> None:
    cli.register()
    (plugins / PLUGIN / "notes.txt").write_text("mine", encoding="utf-8")
    cli.unregister()
    assert files(plugins) == {f"{PLUGIN}/notes.txt": "mine"}


def test_unregister_leaves_no_empty_folders(plugins: Path) -> None:
    cli.register()
    cli.unregister()
    assert list(plugins.iterdir()) == []
    assert cli.unregister() == f"{PLUGIN} is not registered"


def test_status_says_what_to_do_when_not_registered(plugins: Path) -> None:
    assert "run `fiftyone-dfaulo register`" in cli.status()


def test_switched_off_plugin_is_said(
    plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"plugins": {PLUGIN: {"enabled": False}}}
    path = plugins / "app_config.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setenv("FIFTYONE_APP_CONFIG_PATH", str(path))
    assert f"run `fiftyone plugins enable {PLUGIN}`" in cli.register()
    assert f"run `fiftyone plugins enable {PLUGIN}`" in cli.status()


def test_command_line_prints_and_returns_a_status(
    plugins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["register"]) == 0
    assert capsys.readouterr().out.startswith(f"Registered {PLUGIN} {__version__}")
    (plugins / PLUGIN / cli.ENTRY).write_text("not ours", encoding="utf-8")
    assert main(["register"]) == 1
    assert capsys.readouterr().err.startswith("fiftyone-dfaulo: ")
