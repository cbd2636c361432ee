"""A closer look at boxes: is an object there, and where exactly are its edges?"""
