"""Policy packs: the bundled one, the owner's, and the owner's overrides."""
