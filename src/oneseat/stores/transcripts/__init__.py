"""Token usage in the official CLI's transcripts, kept in an index of our own: usage.db. The transcripts are only read.

Each answer of the model counts once, by the vendor's id, in its best sighting (see ``lenient_reader``). What was seen once stays
counted: a transcript that is deleted, truncated or rewritten takes nothing back, because its tokens were spent. So sightings can
be added in any order, twice, or by two processes, and the sum is the same.

``walk``, ``schema`` and ``index`` answer when nothing has changed. They import little, because shell prompts call them.
"""
