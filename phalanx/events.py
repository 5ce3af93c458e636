"""Events, by this name: the bus, its topics, and the typed events of a run."""

from phalanx.runtime.bus import BusEvent, EventBus, Events, Subscription
from phalanx.runtime.events import AnyEvent

__all__ = ["AnyEvent", "BusEvent", "EventBus", "Events", "Subscription"]
