"""Ways of working together: each formation is a value that can be called with a run and a task."""
