"""Who waits and what is in hand: the worklist, the homes and the rows they share."""
