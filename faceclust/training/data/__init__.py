"""Training data: from folders, a library or RecordIO to aligned chips, split by person."""
