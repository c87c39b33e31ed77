"""The gain experiment: its options, its data, its plan, and its run from data to report."""
