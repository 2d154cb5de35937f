"""Questions that take less than a second or two: computed from stored prices, or from what the cluster says."""
