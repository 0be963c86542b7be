"""Entry point of the ``oneseat`` command. ``--version`` answers before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from oneseat import __version__  # noqa: PLC0415 - the whole point: nothing else is loaded

        print(f"oneseat {__version__}")  # noqa: T201 - the command's output
        sys.exit(0)
    from oneseat.cli.main import entry  # noqa: PLC0415 - keeps `--version` free of click
    from oneseat.cli.stop_signals import interrupt_when_stopped  # noqa: PLC0415 - as above

    interrupt_when_stopped()
    sys.exit(entry(sys.argv[1:]))


if __name__ == "__main__":
    main()
