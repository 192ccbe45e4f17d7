"""Programs of well-known images that machines rarely have; each file runs alone, with the standard library only."""
