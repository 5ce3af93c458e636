"""Our own speed: what a turn, a team and an import cost, against the bare libraries, as ratios within one run."""
