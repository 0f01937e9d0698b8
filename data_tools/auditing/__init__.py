"""The audit's parts: what is measured over the frames of a catalog, and how datasets compare."""
