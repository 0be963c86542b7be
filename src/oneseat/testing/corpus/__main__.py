"""Write a corpus from the command line: ``python -m oneseat.testing.corpus FOLDER [FILES [SEED]]``."""

from __future__ import annotations

import sys
from pathlib import Path

from . import CorpusPlan, write_corpus


def main(arguments: list[str]) -> int:
    """Write the corpus and print its path. The folder must not exist yet."""
    try:
        folder, numbers = Path(arguments[0]), [int(number) for number in arguments[1:3]]
        folder.mkdir(parents=True)
    except (IndexError, ValueError, OSError) as error:
        sys.stderr.write(
            f"error: Usage: python -m oneseat.testing.corpus NEW_FOLDER [FILES [SEED]]\n  {error}\n"
        )
        return 2
    files = numbers[0] if numbers else CorpusPlan().files
    plan = CorpusPlan(
        files=files, size=files * 25_000, seed=numbers[1] if len(numbers) > 1 else CorpusPlan().seed
    )
    corpus = write_corpus(folder, plan)
    sys.stdout.write(f"{len(corpus.spent):,} answers in {','.join(map(str, corpus.roots))}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
