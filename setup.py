"""How pip builds and installs the package; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGE = ROOT / "fiftyone_dfaulo"


def read_version() -> str:
    """The version, without importing the package, whose imports may be missing."""
    text = (PACKAGE / "_version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError("fiftyone_dfaulo/_version.py states no __version__")
    return match.group(1)


def read_requirements() -> list[str]:
    """The lines of requirements.txt that name a package."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class BuildWithManifest(build_py):
    """Puts the plugin's manifest and skills into the wheel, where `register` looks."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, PACKAGE.name)
            self.copy_file(str(ROOT / "fiftyone.yml"), str(target / "fiftyone.yml"))
            self.copy_tree(str(ROOT / "skills"), str(target / "skills"))


def read_readme() -> str:
    """The README, or nothing before it is written."""
    path = ROOT / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


CLUSTER = ["ray>=2.9"]
DOCS = ["latex2mathml>=3.77", "mkdocs-material>=9.5", "mkdocstrings-python>=1.12"]

setup(
    name="fiftyone-dfaulo",
    version=read_version(),
    description="Finds wrong labels in FiftyOne image datasets",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    author="The fiftyone-dfaulo authors",
    license="MIT",
    python_requires=">=3.10",
    classifiers=[
        *(f"Programming Language :: Python :: 3.{n}" for n in range(10, 14)),
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    packages=find_packages(include=["fiftyone_dfaulo", "fiftyone_dfaulo.*"]),
    package_data={"fiftyone_dfaulo": ["py.typed", "keys.js"]},
    cmdclass={"build_py": BuildWithManifest},
    install_requires=read_requirements(),
    extras_require={
        "test": [
            *CLUSTER,
            *DOCS,
            "hypothesis>=6.100",
            "import-linter>=2.7",
            "mypy>=1.11",
            "pillow-heif>=0.16",
            "playwright>=1.45",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "setuptools>=68",
            "types-psutil",
        ],
        "docs": [*DOCS, "ipykernel>=6.29", "nbclient>=0.10"],
        "cluster": CLUSTER,
        "heif": ["pillow-heif>=0.16"],
        "bench": ["cleanlab>=2.6", "matplotlib>=3.8"],
        "release": ["build>=1.2", "twine>=5"],
    },
    entry_points={
        "console_scripts": ["fiftyone-dfaulo = fiftyone_dfaulo.__main__:main"]
    },
)
