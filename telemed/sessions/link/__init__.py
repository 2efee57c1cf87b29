"""What a station can expect of its link, learned from its calls and checks."""
