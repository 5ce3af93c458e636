"""Pure rules: typed ballots in, a decision out."""
