"""Writes transcripts below a folder and prints their paths and totals: `write_corpus.py FOLDER FILES SIZE TRAPS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from oneseat.testing.corpus import KINDS, CorpusPlan, write_corpus

corpus = write_corpus(
    Path(sys.argv[1]), CorpusPlan(files=int(sys.argv[2]), size=int(sys.argv[3]), traps=sys.argv[4] == "traps")
)
newest = max(corpus.sessions, key=lambda session: session.written[-1][0].at)
print(
    json.dumps(
        {
            "roots": [str(root) for root in corpus.roots],
            "newest": str(newest.path),
            "session": newest.place.session,
            "cwd": newest.place.cwd,
            "truth": [sum(one.tokens[kind] for one in corpus.spent) for kind in range(len(KINDS))],
        }
    )
)
