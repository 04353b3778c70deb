"""Networks that map chips to features, with the published sizes that they are checked against."""
