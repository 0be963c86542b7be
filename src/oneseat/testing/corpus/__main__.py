"""Write a corpus from the command line: ``python -m oneseat.testing.corpus FOLDER [FILES [SEED]]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import CorpusPlan, write_corpus

_BYTES_A_FILE = 25_000


def main(arguments: Sequence[str]) -> int:
    """Write it and say where. Raises ``SystemExit`` with code 2 for arguments that are none, and with 0 for `--help`."""
    usual = CorpusPlan()
    parser = argparse.ArgumentParser(
        "python -m oneseat.testing.corpus", description="Write made-up transcripts of the official CLI."
    )
    parser.add_argument("folder", type=Path, help="where to write them; it must not exist")
    parser.add_argument("files", type=_count, nargs="?", default=usual.files, help="default: %(default)s")
    parser.add_argument("seed", type=int, nargs="?", default=usual.seed, help="default: %(default)s")
    given = parser.parse_args(arguments)
    try:
        given.folder.mkdir(parents=True)
    except OSError as error:
        parser.error(f"cannot make the folder `{given.folder}`: {error.strerror}")
    plan = CorpusPlan(files=given.files, size=given.files * _BYTES_A_FILE, seed=given.seed)
    corpus = write_corpus(given.folder, plan)
    sys.stdout.write(f"{len(corpus.spent):,} answers in {','.join(map(str, corpus.roots))}\n")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a number of files: `{text}`")
    return number


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
