"""``cache``: lists the work that is kept on disk, or clears it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from fiftyone_dfaulo.cli.datasets import start_fiftyone
from fiftyone_dfaulo.cli.parsing import Subparsers, add_command

_EPILOG = """\
examples:
  fiftyone-dfaulo cache                       what is kept, for which runs
  fiftyone-dfaulo cache --clear my-dataset    delete what its runs have used
  fiftyone-dfaulo cache --clear               delete everything

No result changes: a later run does the work again. DFAULO_CACHE_DIR says where it lies,
DFAULO_CACHE_GB how much there may be.
"""


def add(commands: Subparsers) -> None:
    """Adds ``cache``."""
    help_text = "list the work that is kept on disk, or clear it"
    parser = add_command(commands, "cache", help_text, _EPILOG)
    parser.add_argument("--clear", action="store_true", help="delete it")
    parser.add_argument(
        "dataset", nargs="?", metavar="DATASET", help="only its runs' work"
    )
    parser.add_argument("--brain-key", metavar="KEY", help="only of this run of it")
    parser.set_defaults(run=_cache)


def _cache(options: argparse.Namespace) -> int:
    start_fiftyone()
    from fiftyone_dfaulo.adapter.cache import cache_info, clear_cache

    if options.clear:
        freed = clear_cache(options.dataset, options.brain_key)
        print(f"{freed / 10**9:.3f} GB freed" if freed else "nothing of it is kept")
        return 0
    info = cache_info()
    asked = [
        one
        for one in info.runs
        if options.dataset in (None, one.dataset)
        and options.brain_key in (None, one.brain_key)
    ]
    print(replace(info, runs=asked))
    return 0
