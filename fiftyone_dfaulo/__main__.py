"""The command line, as ``fiftyone-dfaulo`` and ``python -m fiftyone_dfaulo``."""

from __future__ import annotations

import sys

from fiftyone_dfaulo.cli.main import main as main

if __name__ == "__main__":
    sys.exit(main())
