"""Sweeps: values, points, inputs, fan-out, and the layout of their results."""
