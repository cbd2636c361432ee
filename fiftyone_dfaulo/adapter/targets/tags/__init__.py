"""Several tags an item: their labels, what is done with them, how they are edited."""
