"""Generates transcripts of the official CLI with everything that can mislead a token counter, and the true totals.

    corpus = write_corpus(folder, CorpusPlan(seed=7, files=100))
    corpus.roots       # the configuration folders to count
    corpus.spent       # every answer once, with its tokens

The same plan produces the same files on every machine.
"""

from __future__ import annotations

from .making import Corpus, CorpusPlan, write_corpus
from .truth import KINDS, Spent, Tokens

__all__ = ["KINDS", "Corpus", "CorpusPlan", "Spent", "Tokens", "write_corpus"]
