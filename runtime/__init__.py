"""One execution: its log, its events, its limits, its blackboard."""
