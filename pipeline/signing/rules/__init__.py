"""The rules of ``[policy]``, one idea a module; ``pipeline.signing.guard`` runs them before any backend is called."""
