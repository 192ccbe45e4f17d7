"""Admission: defaults and validation of objects, kind by kind."""
