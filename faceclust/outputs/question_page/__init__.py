"""The page of questions that is sent to somebody who knows the people on the photos."""
