"""Objects whose class, box and existence are judged by a detector's predictions."""
