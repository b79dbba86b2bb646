"""What a conversation can be handed over to besides a flow: a plugin begins it, finds it again and stops it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model.handover import Handover
    from router.model.twilio import Twilio


class Target(ABC):
    """Something that answers a customer and is no scoped webhook. A plugin gives it by ``register_targets``.

    It goes on from ``start`` until it ends by itself or by ``stop``. Each call has ten seconds. Where ``find`` and
    ``stop`` run without their call, ``handover.identity`` is masked and ``inputs`` are empty.

    ``flow`` is the Flow SID of a flow that attaches a studio webhook of its own to the conversation once it was
    started; such a webhook is this target's. It is empty where there is none.
    """

    __slots__ = ()

    flow: str = ""

    @abstractmethod
    async def start(self, handover: Handover, twilio: Twilio) -> str:
        """Begin it, and give a reference to it: 1 to 200 printable characters, such as a SID.

        It is not asked again while nobody knows what came of it. Raise TwilioRefused, or pass on what ``twilio``
        raises, as long as nothing was begun; after any other exception, and where it is late, ``find`` tells what came
        of it.
        """

    @abstractmethod
    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        """Give the reference of what was begun for this conversation and goes on; None where nothing does.

        ``reference`` is what ``start`` gave, or empty where its answer was lost. Whatever this raises: nothing is
        decided then, and it is asked again later.
        """

    @abstractmethod
    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:
        """End it, as undo and on the way back; that it is over already is success. It may be asked more than once."""
