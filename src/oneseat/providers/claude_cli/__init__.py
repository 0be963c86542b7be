"""The official ``claude`` CLI as a provider: one persistent stream-json process per run."""
