"""What a call shows of what ``auth`` asks for. Signatures are the server's to check; no secret is ever told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.callers.proof import is_proved, what_lacks
from router.explanation.explanation import Proof
from router.model.routes import AuthKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.callers.request import Request
    from router.config.sources import Sources, WrittenProof
    from router.model.routes import AuthMethod


_LEFT_OUT: Final[tuple[str, bool | None]] = ("left out, as it is empty", False)


class _NoSignatures:
    """Passes nothing: here nobody knows the auth token."""

    def passes(
        self, *, url: str, params: Mapping[str, Sequence[str]], body: bytes | None, signature: str, settings: str = ""
    ) -> bool:
        """Say no."""
        del url, params, body, signature, settings
        return False


def explain_proofs(request: Request, methods: Sequence[AuthMethod], sources: Sources) -> Iterator[Proof]:
    """Yield what the request holds for each entry of ``auth``; ``methods`` are those that are in use."""
    for proof in sources.proofs():
        told, holds = _LEFT_OUT if proof.index is None else _about(request, methods[proof.index])
        yield Proof(proof.kind, proof.written.place, f"{_title(proof)}: {told}", holds)


def _title(proof: WrittenProof) -> str:
    return f"{proof.kind} ({proof.written.hidden})" if proof.written.hidden else proof.kind


def _about(request: Request, method: AuthMethod) -> tuple[str, bool | None]:
    if is_proved(request, (method,), _NoSignatures(), ""):
        return "the call shows it", True
    if method.kind is AuthKind.SECRET:
        return f"the call does not pass: {what_lacks(request, (method,))}", False
    if request.header("x-twilio-signature"):
        return "the call has an X-Twilio-Signature, which is not checked here", None
    return "the call has no X-Twilio-Signature", False
