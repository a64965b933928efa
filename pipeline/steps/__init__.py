"""The steps of a release, one a module. ``pipeline.run`` puts them in order."""
