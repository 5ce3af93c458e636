"""Statistics of comparison: pure functions of scores, in the standard library alone, with frozen results."""
