"""What the official CLI's transcripts say was used, in an index of our own: usage.db. The transcripts are only ever read.

An answer of the model counts once, by the vendor's id, in the best sighting of it anywhere (see ``lines``). What was seen once
stays: a transcript that is deleted, cut or rewritten takes nothing back, because its tokens were spent. So sightings can be
added in any order, twice, or by two processes, and the sum is the same.

``walk``, ``database`` and ``questions`` answer when nothing has changed, and import next to nothing.
"""
