"""How commands are described to argparse."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What commands are added to."""


def add_command(
    commands: Subparsers, name: str, help_text: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Adds a command.

    Args:
        commands: where to.
        name: of the command.
        help_text: what it does, in lower case, without a full stop.
        epilog: what ``--help`` ends with, as it is.
    """
    return commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_key(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the key of the run."""
    parser.add_argument(
        "--brain-key", default="dfaulo", metavar="KEY", help="of the run (dfaulo)"
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the training of a run."""
    parser.add_argument("--epochs", type=int, help="of training, without a model")
    parser.add_argument("--seed", type=int, help="that all randomness comes from")
    parser.add_argument("--device", help="such as cpu or cuda:0")


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Adds the option for who does the work of a run."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="of a Ray cluster; auto takes the one that runs, or this machine's cores",
    )
