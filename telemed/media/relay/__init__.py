"""The forwarding relay: voice and video of one participant to many, packet by packet, undecoded."""
