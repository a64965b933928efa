"""Going back to an earlier release: planned and rehearsed before the release it undoes, executed like any plan."""
