"""A small detector that is trained here: is something there, and where?"""
