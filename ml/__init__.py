"""Finds non-technical losses in load profiles: arrays in, findings out. Imports neither Django nor the apps."""
