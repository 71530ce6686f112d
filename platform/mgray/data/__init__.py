"""Image table to batches: index, pairs, splits, sampler, reader, transforms."""
