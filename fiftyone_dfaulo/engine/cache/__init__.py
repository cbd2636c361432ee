"""Work that is kept on disk, for a run that was killed and for other runs."""
