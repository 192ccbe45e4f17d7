"""Foundation: errors, clock, files, quantities and the other things that all layers use."""
