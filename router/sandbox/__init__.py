"""A stand-in for Twilio over real HTTP: what the router touches of it, stateful, with faults on demand."""
