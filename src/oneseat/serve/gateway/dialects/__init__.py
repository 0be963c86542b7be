"""The vendors' APIs: each reads its requests into a ``Chat`` and writes its answers from pieces. No input or output here."""
