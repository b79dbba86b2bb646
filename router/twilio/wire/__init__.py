"""How a request travels: HTTP/1.1 on asyncio's own transports, with httptools as its parser.

One attempt a request, and an exact word on its end: an answer, ``NotSent``, or an OSError of a request that may have
been taken up.
"""
