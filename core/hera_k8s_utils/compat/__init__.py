"""Version 0.1: its parser and classes, on top of the framework. Scripts written for 0.1 run unmodified."""
