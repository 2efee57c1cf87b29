"""Live media: what carries voice and video where two browsers alone do not suffice."""
