"""What the files around the code say is so: checklist, citation, workflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fiftyone_dfaulo import __version__

ROOT = Path(__file__).parents[1]

_TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHECKLIST = _TEXT.split("## How a plugin is graded")[1].split("\n## ")[0]
PLACES = re.findall(r"`([\w./-]+): ([^`]+)`", CHECKLIST)

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_checklist_has_every_point() -> None:
    points = re.findall(r"^- \[x\] \*\*(\w+)\*\*", CHECKLIST, re.MULTILINE)
    assert points == [
        "Manifest",
        "Registration",
        "Schema",
        "Risk",
        "Code",
        "Discoverability",
        "Security",
    ]
    assert len(PLACES) >= 2 * len(points)


@pytest.mark.parametrize(("file", "line"), PLACES)
def test_what_meets_a_point_is_there(file: str, line: str) -> None:
    assert line in (ROOT / file).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_its_date() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert said["version"] == __version__
    assert f"## [{__version__}] - {said['date-released']}\n" in changelog


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_there_is(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([\w-]+)", "\n".join(lines)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for script in re.findall(r"bash (\S+)", "\n".join(lines)):
        assert (ROOT / script).is_file(), script


def test_the_workflow_tries_the_oldest_that_pip_allows() -> None:
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))
    tried = tests["jobs"]["versions"]["strategy"]["matrix"]
    required = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"fiftyone>={tried['fiftyone'][0].removesuffix('.0')},<2" in required
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert f'python_requires=">={tried["python"][0]}"' in setup
