"""Whole runs as functions that return one full config."""
