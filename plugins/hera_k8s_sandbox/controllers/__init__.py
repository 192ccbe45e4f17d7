"""Controllers: each brings objects of its kind to what their specification says."""
