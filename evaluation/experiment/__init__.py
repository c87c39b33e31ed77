"""Running the gain experiment: arms, labelled subsets, trainings."""
