"""What became of the patient: due, recorded by the station, read by the specialist; and who was content."""
