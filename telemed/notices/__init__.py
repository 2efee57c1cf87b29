"""What people are told, in the application and outside it, and the proof that it arrived."""
