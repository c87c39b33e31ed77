"""Statistics of the comparison: does synthetic data help a classifier?"""
