"""What users hold in their hands: a team, its result, its file."""
