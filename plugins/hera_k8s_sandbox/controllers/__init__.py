"""Controllers: each brings the objects of its kind to the state that their spec asks for."""
