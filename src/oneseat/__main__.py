"""Entry point of the ``oneseat`` command. ``--version`` answers before anything is imported."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enumerations, which take a fifth of a quick answer to load

#: What a shell says of a command that Ctrl-C ended.
_CANCELLED = 130


def main() -> None:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while the command is still being loaded would be shown as a traceback. Nothing has been started yet.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] == ["--version"]:
        from oneseat import __version__  # noqa: PLC0415 - the whole point: nothing else is loaded

        print(f"oneseat {__version__}")  # noqa: T201 - the command's output
        sys.exit(0)
    from oneseat.cli import gc_control  # noqa: PLC0415 - as above

    gc_control.wait()
    if sys.argv[1:2] == ["usage"]:
        from .fast.usage import answered  # noqa: PLC0415 - as above

        if answered(sys.argv[2:]):
            gc.freeze()  # else all that was loaded is searched for cycles at the end, for a twentieth of the time
            sys.exit(0)
    from oneseat.cli.terminal.signals import (  # noqa: PLC0415 - keeps `--version` free of it
        ignore_stop_signals,
        interrupt_when_stopped,
    )

    interrupt_when_stopped()
    try:
        code = _on_server(sys.argv[1:])
        if code is None:
            from oneseat.cli.main import entry  # noqa: PLC0415 - a run that a server did needs none of it

            code = entry(sys.argv[1:])
    except KeyboardInterrupt:  # out of an import: no command has begun, and nothing is there to be told
        code = _CANCELLED
    ignore_stop_signals()
    sys.exit(code)


def _on_server(arguments: list[str]) -> int | None:
    """The exit code of a plain `oneseat run` that a running server did."""
    if arguments[:1] != ["run"] or None in (sys.stdin, sys.stdout, sys.stderr):
        return None
    try:
        from .fast.run import try_run  # noqa: PLC0415 - only `run` has a fast lane

        return try_run(arguments[1:])
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last stop before a traceback
        from oneseat.cli.main import explain, report  # noqa: PLC0415 - only for an error

        return report(explain(error, arguments), arguments)


if __name__ == "__main__":
    main()
