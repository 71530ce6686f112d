"""The endpoint on Ray Serve."""
