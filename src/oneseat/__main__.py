"""Entry point of the ``oneseat`` command. ``--version`` answers before anything is imported."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while the command is still being loaded would be shown as a traceback. Nothing has been started yet.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] == ["--version"]:
        from oneseat import __version__  # noqa: PLC0415 - the whole point: nothing else is loaded

        print(f"oneseat {__version__}")  # noqa: T201 - the command's output
        sys.exit(0)
    from oneseat.cli.main import entry  # noqa: PLC0415 - keeps `--version` free of click
    from oneseat.cli.stop_signals import ignore_stop_signals, interrupt_when_stopped  # noqa: PLC0415 - as above

    interrupt_when_stopped()
    code = entry(sys.argv[1:])
    ignore_stop_signals()
    sys.exit(code)


if __name__ == "__main__":
    main()
