"""How boxes are scored: by predictions in a field, or by a detector trained here."""
