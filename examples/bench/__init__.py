"""The parts of the benchmark: cases, what a network makes of them, methods."""
