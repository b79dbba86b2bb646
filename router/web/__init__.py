"""The web edge: requests in, sentences out."""
