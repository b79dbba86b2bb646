"""Rehearsals: the tests of ``routes.yaml``, played with everything real but Twilio, which is a stage in memory."""
