"""Tell apart what can go wrong.

python examples/handle_errors.py "Say hello"
"""

from __future__ import annotations

import sys

import oneseat


def main(prompt: str) -> int:
    """Print the answer, or who can do something about it. Returns the exit code."""
    try:
        print(oneseat.run(prompt, timeout_s=120).text)
    except oneseat.UsageError as wrong:
        # A mistake of this program, its settings or its files. Nothing was sent.
        print(f"please correct: {wrong.info.message}\n{wrong.info.hint or ''}")
        return 2
    except oneseat.RunFailed as failed:
        if failed.info.whose_turn == "wait":
            print(f"later: {failed.info.code}, retry after {failed.info.retry_after_s} s")
        else:
            print(f"failed: {failed.info.code}, received so far: {failed.result.text!r}")
        return 1
    except oneseat.OneseatError as bug:
        # Not expected: please report it.
        print(f"a bug of oneseat: {bug.info.code}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
