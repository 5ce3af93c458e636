"""Where a suite's work is done: here, or on other processes and machines."""
