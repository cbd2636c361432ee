"""What ``fiftyone-dfaulo`` understands, and how it ends.

It ends with 0 if all went well; with 1 if it is refused for what it found, as by
``doctor``; with 2 if what was asked for cannot be done; and with 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from fiftyone_dfaulo._version import __version__
from fiftyone_dfaulo.cli import cache, doctor, folder, registration, runs
from fiftyone_dfaulo.cli.parsing import add_command
from fiftyone_dfaulo.errors import Cancelled, DFauLoError

PROGRAM = "fiftyone-dfaulo"

EXAMPLES = """\
examples:
  fiftyone-dfaulo register              put the plugin into the App
  fiftyone-dfaulo doctor                see whether all is there that it needs
  fiftyone-dfaulo folder photos/        score photos/<class>/*.jpg
  fiftyone-dfaulo find my-dataset --label-field ground_truth
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the words after the program's name; None takes this process's.

    Returns:
        the exit status: see the top of this file.
    """
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except registration.RegistrationError as error:
        return _fail(error, 1)
    except (Cancelled, KeyboardInterrupt):
        return _fail("stopped; nothing is written of what was not finished", 130)
    except DFauLoError as error:
        return _fail(error, 2)


def _fail(why: object, status: int) -> int:
    print(f"{PROGRAM}: {why}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Finds wrong labels in FiftyOne image datasets.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands"
    )
    for name, function, help_text in (
        ("register", registration.register, "make FiftyOne load the plugin"),
        ("unregister", registration.unregister, "take that back"),
        ("status", registration.status, "say how FiftyOne finds the plugin"),
    ):
        one = add_command(commands, name, help_text)
        one.set_defaults(run=_printing(function))
    for add in (
        doctor.add,
        folder.add,
        runs.add_find,
        runs.add_status,
        runs.add_export,
        cache.add,
    ):
        add(commands)
    return parser


def _printing(function: Callable[[], str]) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        print(function())
        return 0

    return run
