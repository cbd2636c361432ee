"""Where old FiftyOnes enter a download of this folder; newer ones take ``py_entry``."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("fiftyone_dfaulo") is None:
    sys.path.append(str(Path(__file__).resolve().parent))

from fiftyone_dfaulo import register as register
