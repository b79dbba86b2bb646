"""The one room that knows Twilio's SDK: the gateway, our transport under it, and request signatures.

It re-exports nothing, so that checking a signature never pays for importing the REST client.
"""
