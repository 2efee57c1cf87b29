"""The server's own end of a synthetic call: whatever a browser sends comes back."""
