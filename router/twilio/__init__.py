"""The one room that knows Twilio's SDK: the gateway, the way of its requests, and signatures.

It re-exports nothing, so that checking a signature never pays for importing the REST client.
"""
