"""A config map that names an HTTP proxy: its parser, its environment, and two workflows that use it."""
